// The transcript beside the pictures: what is said now is marked, a click on a word plays it.
import { useEffect, useRef, useState } from "preact/hooks";

import { clock as written, t } from "../../room/text.js";
import { html } from "../../room/view.js";
import { wordAt } from "../words.js";

/** A word is understood only with what leads to it. */
const LEAD_S = 0.15;
/** Below this the machine was not sure. */
const UNSURE = 0.5;

/** @typedef {import("../player.js").Player} Player */

/** The words of the segment that is said now. @param {{player: Player, segment: Recording.Segment}} props */
function Said({ player, segment }) {
  return html`<${Words} segment=${segment} now=${wordAt(segment.words, player.clock.position.value)} />`;
}

/** @param {{segment: Recording.Segment, now: number}} props */
function Words({ segment, now }) {
  if (!segment.words.length) return segment.text;
  return segment.words.map((word, place) => {
    const name = `${place === now ? "now" : ""} ${word.probability < UNSURE ? "unsure" : ""}`;
    return html`<span key=${place} class="word ${name}" data-start=${word.start_s}>${word.text.trim()}</span> `;
  });
}

/** @param {{player: Player}} props */
export function Transcript({ player }) {
  const { segments } = player.manifest;
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const [follows, setFollows] = useState(true);
  const current = player.segment.value;
  useEffect(() => {
    const box = list.current;
    const line = /** @type {HTMLElement | null | undefined} */ (box?.querySelector(".current"));
    if (!follows || !box || !line) return;
    // Only the list moves: the page stays where its reader put it.
    box.scrollTop = line.offsetTop - box.offsetTop - box.clientHeight / 3;
  }, [current, follows]);
  const click = (/** @type {Event} */ event) => {
    const word = /** @type {HTMLElement} */ (event.target).closest?.("[data-start]");
    if (!(word instanceof HTMLElement)) return;
    player.hear(Number(word.dataset.start) - (word.matches(".word") ? LEAD_S : 0));
  };
  return html`<section class="transcript" aria-labelledby="transcript-title">
    <header>
      <h2 id="transcript-title">${t("recording_transcript")}</h2>
      <label class="tick"><input type="checkbox" checked=${follows}
        onChange=${(/** @type {{currentTarget: HTMLInputElement}} */ event) => setFollows(event.currentTarget.checked)} /><span>${t("transcript_follow")}</span></label>
    </header>
    <p class="notice">${t("captions_notice")}</p>
    ${segments.length === 0 && html`<p class="quiet">${t("recording_nothing_said")}</p>`}
    <ol class="said" ref=${list} onClick=${click} tabindex="0" aria-label=${t("recording_transcript")}>
      ${segments.map(
        (segment, place) => html`<li key=${segment.id} class=${place === current ? "current" : ""} aria-current=${place === current ? "true" : undefined}>
          <button type="button" class="from" data-start=${segment.start_s}>
            <span class="visually-hidden">${t("player_hear")} </span>${written(segment.start_s)}
          </button>
          <div><strong>${segment.speaker}</strong>
            <p lang=${segment.language}>${place === current ? html`<${Said} player=${player} segment=${segment} />` : html`<${Words} segment=${segment} now=${-1} />`}</p></div>
        </li>`,
      )}
    </ol>
  </section>`;
}
