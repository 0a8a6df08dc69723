// Which browser and system this is, and what to tell a person whose device does not open.

/** @typedef {"chromium" | "firefox" | "safari"} Browser */
/** @typedef {"windows" | "macos" | "ios" | "android" | "linux"} System */

/** @param {string} agent @param {number} touchPoints @returns {{browser: Browser, system: System}} */
export function recognise(agent, touchPoints) {
  /** @type {System} */
  let system = "linux";
  if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && touchPoints > 1)) system = "ios";
  else if (/Android/.test(agent)) system = "android";
  else if (/Windows/.test(agent)) system = "windows";
  else if (/Macintosh/.test(agent)) system = "macos";
  /** @type {Browser} */
  let browser = "safari";
  if (/Firefox\/|FxiOS/.test(agent)) browser = "firefox";
  else if (/Chrom(e|ium)\/|CriOS|Edg/.test(agent)) browser = "chromium";
  return { browser, system };
}

/**
 * The texts that help with a problem: what is wrong, then what to do.
 * @param {import("./devices.js").Problem} problem
 * @param {{browser: Browser, system: System}} here
 */
export function help({ device, reason }, { browser, system }) {
  const what = `${reason}_${device}`;
  switch (reason) {
    case "denied":
      // On an iPhone every browser asks in the same way; on Android the browsers' menus are alike.
      return { what, how: system === "ios" || system === "android" ? `denied_on_${system}` : `denied_in_${browser}` };
    case "system":
      return { what, how: `system_on_${system}` };
    case "busy":
      return { what, how: system === "windows" ? "busy_on_windows" : "busy_elsewhere" };
    case "missing":
      return { what, how: `missing_how_${device}` };
    case "dismissed":
      return { what, how: "dismissed_how" };
    case "insecure":
      return { what: "insecure", how: "insecure_how" };
    default:
      return { what, how: "unknown_how" };
  }
}
