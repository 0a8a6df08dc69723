// Light, dark, or as the system says. The server writes the choice into the page, so that nothing flashes.

/** @typedef {"auto" | "light" | "dark"} Theme */

const MEDIA = { auto: "(prefers-color-scheme: dark)", light: "not all", dark: "all" };

/**
 * The theme; with an argument, change it here and remember it.
 * @param {string} [wanted]
 */
export function theme(wanted) {
  const sheet = /** @type {HTMLLinkElement} */ (document.getElementById("dark"));
  const root = document.documentElement;
  if (wanted !== undefined && wanted in MEDIA) {
    const chosen = /** @type {Theme} */ (wanted);
    sheet.media = MEDIA[chosen];
    root.dataset.theme = chosen;
    const scheme = document.querySelector("meta[name=color-scheme]");
    scheme?.setAttribute("content", chosen === "auto" ? "light dark" : chosen);
    for (const link of document.querySelectorAll("a[data-theme-choice]")) {
      if (link instanceof HTMLAnchorElement && link.dataset.themeChoice === chosen) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    void fetch(`/theme/${chosen}`, { redirect: "manual" });
  }
  return root.dataset.theme ?? "auto";
}

// The links in the foot of a page work without this; with it the page stays as it is.
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a[data-theme-choice]") : null;
  if (!(link instanceof HTMLAnchorElement)) return;
  event.preventDefault();
  theme(link.dataset.themeChoice);
});
