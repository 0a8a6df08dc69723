// The pictures and voices of a recording, placed as in the visit.
import { useEffect, useRef, useState } from "preact/hooks";

import { layout } from "../../room/layout.js";
import { t } from "../../room/text.js";
import { html } from "../../room/view.js";

/** @typedef {import("../player.js").Player} Player */

/** @param {{player: Player, track: Recording.Track}} props */
function TrackPlayer({ player, track }) {
  const element = useRef(/** @type {HTMLMediaElement | null} */ (null));
  useEffect(() => (element.current ? player.tracks.add(track, element.current) : undefined), []);
  if (track.kind === "audio") return html`<audio ref=${element} src=${track.url} preload="auto"></audio>`;
  return html`<video ref=${element} src=${track.url} preload="auto" playsinline muted tabindex="-1" aria-label=${nameOf(track)}></video>`;
}

/** @param {Recording.Track} track */
function nameOf(track) {
  return track.source === "screen" ? t("screen_of", { name: track.name }) : track.name;
}

/** @param {{player: Player}} props */
export function Pictures({ player }) {
  const { manifest, tracks } = player;
  const stage = useRef(/** @type {HTMLElement | null} */ (null));
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (!stage.current) return undefined;
    const observer = new ResizeObserver(([entry]) => setSize({ width: entry.contentRect.width, height: entry.contentRect.height }));
    observer.observe(stage.current);
    return () => observer.disconnect();
  }, []);
  const active = tracks.active.value;
  const failed = tracks.failed.value;
  const speaker = player.speaker.value;
  const videos = manifest.tracks.filter((track) => track.kind === "video");
  const audios = manifest.tracks.filter((track) => track.kind === "audio");
  // Whoever is heard without a picture has a tile with a name.
  const heard = audios.filter(
    (track) => track.source === "microphone" && active.has(track.file) &&
      !videos.some((video) => video.source === "camera" && video.participant === track.participant && active.has(video.file)),
  );
  const shown = [...videos.filter((track) => active.has(track.file)), ...heard];
  const large = player.view.value === "speaker" && shown.length > 1;
  const items = shown.map((track) => ({
    id: track.file,
    self: false,
    screen: track.source === "screen" || (large && track.participant === speaker && !shown.some((each) => each.source === "screen")),
  }));
  const boxes = layout(items, size.width, size.height);
  const style = (/** @type {Recording.Track} */ track) => {
    const box = boxes.get(track.file);
    return box ? { transform: `translate(${box.x}px, ${box.y}px)`, width: `${box.width}px`, height: `${box.height}px` } : {};
  };
  return html`<div class="pictures" ref=${stage}>
    ${videos.map(
      (track) => html`<figure key=${track.file} class="tile ${track.source} ${track.participant === speaker && track.source === "camera" ? "speaks" : ""}"
        hidden=${!active.has(track.file)} style=${style(track)}>
        <${TrackPlayer} player=${player} track=${track} />
        <figcaption class="label">${nameOf(track)}${failed.has(track.file) ? ` – ${t("player_cannot")}` : ""}</figcaption>
      </figure>`,
    )}
    ${heard.map(
      (track) => html`<figure key=${`heard-${track.file}`} class="tile ${track.participant === speaker ? "speaks" : ""}" style=${style(track)}>
        <span class="initials" aria-hidden="true">${track.name.slice(0, 1).toUpperCase()}</span>
        <figcaption class="label">${track.name}</figcaption>
      </figure>`,
    )}
    ${audios.map((track) => html`<${TrackPlayer} key=${track.file} player=${player} track=${track} />`)}
    ${shown.length === 0 && html`<p class="nothing">${t("player_nothing")}</p>`}
  </div>`;
}
