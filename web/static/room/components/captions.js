// Live captions: the last lines under the picture, and all of them in a log that scrolls back.
import { clock, t } from "../text.js";
import { html } from "../view.js";
import { Log } from "./log.js";
import { Panel } from "./panel.js";

const SIZES = [0.85, 1, 1.25, 1.6, 2];

/** @param {{visit: import("../visit.js").Visit}} props */
export function CaptionLines({ visit }) {
  const lines = visit.state.shown.value;
  if (!visit.captionsShown.value || !lines.length) return null;
  // The log is what screen readers follow: lines that still change would be read again and again.
  return html`<div class="caption-lines" aria-hidden="true" style=${{ "--size": String(visit.captionSize.value) }}>
    ${lines.map(
      (caption) => html`<p key=${caption.segment}>
        <strong>${caption.speaker}</strong> ${caption.text.slice(0, caption.stable_chars)}<span class="unstable">${caption.text.slice(caption.stable_chars)}</span>
      </p>`,
    )}
  </div>`;
}

/** @param {{visit: import("../visit.js").Visit}} props */
export function Captions({ visit }) {
  const lines = visit.state.transcript.value;
  const size = visit.captionSize.value;
  const smaller = SIZES.findLast((each) => each < size);
  const larger = SIZES.find((each) => each > size);
  const { available, problem } = visit.state.captions.value;
  return html`<${Panel} visit=${visit} name="captions">
    <p class="notice">${t("captions_notice")}</p>
    <div class="options">
      <label class="tick">
        <input type="checkbox" checked=${visit.captionsShown.value}
          onChange=${(/** @type {{currentTarget: HTMLInputElement}} */ event) => visit.showCaptions(event.currentTarget.checked)} />
        <span>${t("captions_show")}</span>
      </label>
      <div role="group" aria-label=${t("captions_size")} class="sizes">
        <button type="button" disabled=${!smaller} onClick=${() => smaller && visit.sizeCaptions(smaller)}><span aria-hidden="true">A−</span><span class="visually-hidden">${t("captions_smaller")}</span></button>
        <button type="button" disabled=${!larger} onClick=${() => larger && visit.sizeCaptions(larger)}><span aria-hidden="true">A+</span><span class="visually-hidden">${t("captions_larger")}</span></button>
      </div>
    </div>
    <${Log} label=${t("captions_log")} class="transcript" length=${lines.length}>
      ${problem && html`<p class="notice">${t(`captions_${problem}`)}</p>`}
      ${!problem && lines.length === 0 && html`<p class="quiet">${t(available ? "captions_empty" : "captions_unavailable")}</p>`}
      ${lines.map(
        (caption) => html`<p key=${caption.segment} class="line" lang=${caption.language}>
          <strong>${caption.speaker}</strong> <span class="quiet">${clock(caption.start_s)}</span><br />${caption.text}
        </p>`,
      )}
    <//>
  <//>`;
}
