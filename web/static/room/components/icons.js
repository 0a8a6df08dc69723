// The pictograms, drawn here: 24 × 24, one stroke, always beside words.
import { html } from "../view.js";

const SHAPES = {
  microphone: "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3ZM5 11a7 7 0 0 0 14 0M12 18v3",
  microphone_off: "M9 9v2a3 3 0 0 0 5.1 2.1M15 10.5V6a3 3 0 0 0-5.7-1.3M5 11a7 7 0 0 0 11.5 5.4M19 11a7 7 0 0 1-.6 2.8M12 18v3M4 3l17 18",
  camera: "M3 7h12v10H3ZM15 11l6-3.5v9L15 13",
  camera_off: "M7 7h8v8M15 17H3V7h1M15 11l6-3.5v9L17 14.6M4 3l17 18",
  screen: "M3 4h18v12H3ZM9 20h6M12 16v4M12 13V7.5M9.5 10 12 7.5l2.5 2.5",
  hand: "M7 12V6a1.5 1.5 0 0 1 3 0v5V4.5a1.5 1.5 0 0 1 3 0V11V5.5a1.5 1.5 0 0 1 3 0V13l1.6-2.3a1.5 1.5 0 0 1 2.5 1.7L17 18a6 6 0 0 1-5 3a6 6 0 0 1-5-4.5Z",
  captions: "M3 5h18v14H3ZM7 11h4M13 11h4M7 15h6M15 15h2",
  chat: "M4 5h16v11H10l-5 4v-4H4Z",
  people: "M9 11a3.5 3.5 0 1 0 0-7a3.5 3.5 0 0 0 0 7ZM2.5 20a6.5 6.5 0 0 1 13 0M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14a6.5 6.5 0 0 1 3.5 6",
  record: "M12 21a9 9 0 1 0 0-18a9 9 0 0 0 0 18ZM12 15a3 3 0 1 0 0-6a3 3 0 0 0 0 6Z",
  stop: "M12 21a9 9 0 1 0 0-18a9 9 0 0 0 0 18ZM9.5 9.5h5v5h-5Z",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 1 0 0-5a2.5 2.5 0 0 0 0 5ZM9 19.5a2.5 2.5 0 1 0 0-5a2.5 2.5 0 0 0 0 5Z",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  leave: "M4 15.5v-2.2c4.6-3.8 11.4-3.8 16 0v2.2l-4.2 1v-2.8a12 12 0 0 0-7.6 0v2.8Z",
  close: "M6 6l12 12M18 6 6 18",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1",
  play: "M7 4.5v15l12-7.5Z",
  pause: "M8 5v14M16 5v14",
  check: "M5 12.5 10 17.5 19 7",
  warning: "M12 4 2.5 20h19ZM12 10v4M12 17h.01",
};

/** @typedef {keyof typeof SHAPES} Name */

/** @param {{name: Name}} props */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${SHAPES[name]} /></svg>`;
}

/** Four bars of which `quality` are full. @param {{quality: number}} props */
export function Bars({ quality }) {
  return html`<svg class="bars quality-${quality}" viewBox="0 0 18 16" aria-hidden="true" focusable="false">
    ${[1, 2, 3, 4].map((bar) => html`<rect class=${bar <= quality ? "full" : ""} x=${(bar - 1) * 5} y=${16 - bar * 4} width="3" height=${bar * 4} rx="1" />`)}
  </svg>`;
}
