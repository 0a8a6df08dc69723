// A panel beside the pictures. Opening it moves the focus in; closing it gives the focus back to the control that opened it.
import { useEffect, useRef } from "preact/hooks";

import { t } from "../text.js";
import { html } from "../view.js";
import { Icon } from "./icons.js";

/** @param {{visit: import("../visit.js").Visit, name: import("../visit.js").Panel, children: unknown}} props */
export function Panel({ visit, name, children }) {
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const first = root.current?.querySelector("[data-first]") ?? root.current?.querySelector("h2");
    /** @type {HTMLElement | null | undefined} */ (first)?.focus();
    return () => {
      // Only if the focus would be lost with the panel: whoever clicked elsewhere is elsewhere.
      if (root.current?.contains(document.activeElement) || document.activeElement === document.body) {
        const opener = document.getElementById(`open-${name}`);
        const seen = opener && opener.offsetParent !== null ? opener : document.querySelector(".control.opener");
        /** @type {HTMLElement | null} */ (seen)?.focus();
      }
    };
  }, []);
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") visit.show(name);
  };
  return html`<section class="panel ${name}" ref=${root} aria-labelledby="panel-title" onKeyDown=${key}>
    <header>
      <h2 id="panel-title" tabindex="-1">${t(name)}</h2>
      <button type="button" class="plain" onClick=${() => visit.show(name)}><${Icon} name="close" /><span>${t("close")}</span></button>
    </header>
    ${children}
  </section>`;
}
