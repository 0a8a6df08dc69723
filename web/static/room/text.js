// The texts of the interface in the reader's language, put into the page by the server.

/** @type {Record<string, string>} */
const texts = JSON.parse(document.getElementById("texts")?.textContent ?? "{}");

const language = document.documentElement.lang;

/**
 * One text, with what stands in {braces} filled in.
 * @param {string} key @param {Record<string, string | number>} [values] @returns {string}
 */
export function t(key, values) {
  const text = texts[key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? "")) : text;
}

/** Say something to people who listen to the page. @param {string} text */
export function announce(text) {
  const status = document.getElementById("status");
  if (!status) return;
  // The same words twice are a change only if the region was empty in between.
  status.textContent = "";
  setTimeout(() => (status.textContent = text), 50);
}

/** "14 h 30" or "14:30". @param {number} at_s Unix seconds */
export function timeOfDay(at_s) {
  const at = new Date(at_s * 1000);
  const minutes = String(at.getMinutes()).padStart(2, "0");
  return language === "fr" ? `${at.getHours()} h ${minutes}` : `${at.getHours()}:${minutes}`;
}

/** "4:05" or "1:02:09". @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (!parts[0]) parts.shift();
  return parts.map((part, place) => (place ? String(part).padStart(2, "0") : String(part))).join(":");
}
