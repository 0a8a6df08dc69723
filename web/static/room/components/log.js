// A list that grows at its end and follows it, unless the reader has scrolled back.
import { useEffect, useRef } from "preact/hooks";

import { html } from "../view.js";

const NEAR_END = 40;

/** @param {{label: string, class?: string, length: number, children: unknown}} props */
export function Log({ label, class: name = "", length, children }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const follows = useRef(true);
  const scrolled = () => {
    const { scrollTop, clientHeight, scrollHeight } = /** @type {HTMLElement} */ (list.current);
    follows.current = scrollTop + clientHeight > scrollHeight - NEAR_END;
  };
  useEffect(() => {
    if (list.current && follows.current) list.current.scrollTop = list.current.scrollHeight;
  }, [length]);
  return html`<div class="log ${name}" role="log" aria-label=${label} tabindex="0" ref=${list} onScroll=${scrolled}>${children}</div>`;
}
