// The time of a recording: a slider, and under it a lane for each person who speaks.
import { clock as written, t } from "../../room/text.js";
import { html } from "../../room/view.js";

/** @typedef {import("../player.js").Player} Player */

/** @param {{player: Player}} props */
export function Timeline({ player }) {
  const { clock, manifest } = player;
  const at = clock.position.value;
  const words = t("player_position", { at: written(at), of: written(clock.duration_s) });
  return html`<div class="timeline">
    <span class="time" aria-hidden="true">${written(at)} / ${written(clock.duration_s)}</span>
    <input type="range" id="position" aria-label=${t("player_time")} min="0" max=${Math.ceil(clock.duration_s)} step="1" value=${Math.floor(at)}
      aria-valuetext=${words} onInput=${(/** @type {{currentTarget: HTMLInputElement}} */ event) => clock.seek(Number(event.currentTarget.value))} />
    <${Lanes} player=${player} segments=${manifest.segments} />
  </div>`;
}

/** The transcript says the same in words. @param {{player: Player, segments: Recording.Segment[]}} props */
function Lanes({ player, segments }) {
  const { clock } = player;
  /** @type {Map<string, {speaker: string, segments: Recording.Segment[]}>} */
  const lanes = new Map();
  for (const segment of segments) {
    const lane = lanes.get(segment.participant) ?? { speaker: segment.speaker, segments: [] };
    lane.segments.push(segment);
    lanes.set(segment.participant, lane);
  }
  if (!lanes.size) return null;
  const seek = (/** @type {MouseEvent & {currentTarget: HTMLElement}} */ event) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    clock.seek(((event.clientX - left) / width) * clock.duration_s);
  };
  const part = (/** @type {number} */ s) => `${(100 * s) / clock.duration_s}%`;
  return html`${[...lanes].map(
      ([participant, lane]) => html`<span class="lane" key=${participant} aria-hidden="true">${lane.speaker}</span>
        <div class="spoken" aria-hidden="true" key=${`${participant}-spoken`} onClick=${seek}>
          ${lane.segments.map((each) => html`<i key=${each.id} style=${{ left: part(each.start_s), width: part(Math.max(0.4, each.end_s - each.start_s)) }}></i>`)}
          <b style=${{ left: part(clock.position.value) }}></b>
        </div>`,
    )}`;
}
