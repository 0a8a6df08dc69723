// The page of a recording: pictures, time, controls, transcript, files.
import { useEffect } from "preact/hooks";

import { Icon } from "../../room/components/icons.js";
import { t } from "../../room/text.js";
import { html } from "../../room/view.js";
import { RATES, STEP_S } from "../player.js";
import { Pictures } from "./pictures.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";

/** @typedef {import("../player.js").Player} Player */
/** @typedef {{currentTarget: HTMLInputElement}} Changed */

const MEGABYTE = 1_000_000;

/** @param {{player: Player}} props */
function Controls({ player }) {
  const { clock } = player;
  const plays = clock.playing.value;
  return html`<div class="playing" role="group" aria-label=${t("controls")}>
    <button type="button" class="primary play" onClick=${() => player.toggle()} aria-keyshortcuts="K"><${Icon} name=${plays ? "pause" : "play"} /><span>${t(plays ? "pause" : "play")}</span></button>
    <button type="button" onClick=${() => player.jump(-STEP_S)} aria-keyshortcuts="J"><span aria-hidden="true">−10 s</span><span class="visually-hidden">${t("player_back")}</span></button>
    <button type="button" onClick=${() => player.jump(STEP_S)} aria-keyshortcuts="L"><span aria-hidden="true">+10 s</span><span class="visually-hidden">${t("player_on")}</span></button>
    ${clock.waiting.value && html`<span class="wait" role="img" aria-label=${t("player_waiting")}></span>`}
    <span class="space"></span>
    <label class="inline"><span>${t("player_speed")}</span>
      <select id="speed" value=${String(clock.rate.value)} onChange=${(/** @type {{currentTarget: HTMLSelectElement}} */ event) => clock.setRate(Number(event.currentTarget.value))}>
        ${RATES.map((rate) => html`<option key=${rate} value=${String(rate)}>${String(rate).replace(".", t("decimal"))} ×</option>`)}
      </select></label>
    <label class="inline"><span>${t("player_volume")}</span>
      <input type="range" min="0" max="100" step="5" value=${Math.round(player.tracks.volume.value * 100)}
        onInput=${(/** @type {Changed} */ event) => player.tracks.setVolume(Number(event.currentTarget.value) / 100)} /></label>
    <label class="inline"><span>${t("player_view")}</span>
      <select value=${player.view.value} onChange=${(/** @type {{currentTarget: HTMLSelectElement}} */ event) => player.setView(event.currentTarget.value)}>
        <option value="grid">${t("player_grid")}</option>
        <option value="speaker">${t("player_speaker")}</option>
      </select></label>
  </div>`;
}

/** @param {{player: Player}} props */
function Files({ player }) {
  const { manifest } = player;
  const base = location.pathname.replace(/\/$/, "");
  return html`<section class="files" aria-labelledby="files-title">
    <h2 id="files-title">${t("files")}</h2>
    <ul>
      ${manifest.segments.length > 0 && html`<li><a href="${base}/transcript.vtt">${t("recording_transcript_vtt")}</a></li>
        <li><a href="${base}/transcript.json">${t("recording_transcript_json")}</a></li>`}
      ${manifest.tracks.map(
        (track) => html`<li key=${track.file}>
          <a href="${track.url}?download">${track.name} – ${t(`source_${track.source}`)}</a>
          <span class="quiet"> ${t("file_size", { size: (track.bytes / MEGABYTE).toFixed(1).replace(".", t("decimal")) })}${track.complete ? "" : ` · ${t("recording_cut")}`}</span>
        </li>`,
      )}
    </ul>
  </section>`;
}

/** @param {{player: Player}} props */
function Keys({ player }) {
  return html`<details class="keys-help">
    <summary>${t("keys")}</summary>
    <dl class="keys">
      <dt><kbd>K</kbd></dt><dd>${t("player_key_play")}</dd>
      <dt><kbd>J</kbd> <kbd>L</kbd></dt><dd>${t("player_key_jump")}</dd>
      <dt><kbd>,</kbd> <kbd>.</kbd></dt><dd>${t("player_key_speed")}</dd>
      <dt><kbd>M</kbd></dt><dd>${t("player_key_mute")}</dd>
    </dl>
    <label class="tick"><input type="checkbox" checked=${player.keys.value}
      onChange=${(/** @type {Changed} */ event) => player.setKeys(event.currentTarget.checked)} /><span>${t("player_keys_on")}</span></label>
  </details>`;
}

/** @param {{player: Player}} props */
export function Page({ player }) {
  useEffect(() => player.listen(), []);
  return html`<div class="player">
    <div class="watch">
      <${Pictures} player=${player} />
      <${Timeline} player=${player} />
      <${Controls} player=${player} />
      <${Keys} player=${player} />
    </div>
    <${Transcript} player=${player} />
    <${Files} player=${player} />
  </div>`;
}
