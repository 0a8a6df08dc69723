// The texts of the interface in the reader's language, put into the page by the server.

/** @type {Record<string, string>} */
const texts = JSON.parse(document.getElementById("texts")?.textContent ?? "{}");

/** @param {string} key @returns {string} */
export function t(key) {
  return texts[key] ?? key;
}

/** Say something to people who listen to the page. @param {string} text */
export function announce(text) {
  const status = document.getElementById("status");
  if (status) status.textContent = text;
}
