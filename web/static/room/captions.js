// Live captions under the picture: the last lines, with the speaker's name; what may still change is lighter.
import { element } from "./dom.js";
import { t } from "./text.js";

const LINES = 3;
const STAY_MS = 8000;

export class Captions {
  constructor() {
    this.overlay = element("div", { class: "captions", "aria-hidden": "true" });
    this.log = element("ol", { class: "log", role: "log", "aria-label": t("captions") });
    /** @type {Map<string, {caption: any, at: number}>} */
    this.lines = new Map();
    setInterval(() => this.render(), 1000);
  }

  /** @param {any} caption */
  add(caption) {
    const known = this.lines.get(caption.segment);
    if (known && known.caption.revision >= caption.revision) return;
    if (!caption.text) this.lines.delete(caption.segment);
    else this.lines.set(caption.segment, { caption, at: Date.now() });
    if (caption.final && caption.text) {
      this.log.append(element("li", {}, element("strong", {}, caption.speaker), element("br"), caption.text));
      this.log.scrollTop = this.log.scrollHeight;
    }
    this.render();
  }

  render() {
    const now = Date.now();
    for (const [segment, line] of this.lines) if (line.caption.final && now - line.at > STAY_MS) this.lines.delete(segment);
    const shown = [...this.lines.values()].slice(-LINES).map(({ caption }) =>
      element(
        "p",
        {},
        element("strong", {}, `${caption.speaker} : `),
        caption.text.slice(0, caption.stable_chars),
        element("span", { class: "unstable" }, caption.text.slice(caption.stable_chars)),
      ),
    );
    this.overlay.replaceChildren(...shown);
  }
}
