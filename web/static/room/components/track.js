// A track on an element: pictures and voices.
import { useEffect, useRef } from "preact/hooks";

import { playThrough } from "../devices.js";
import { html } from "../view.js";

/** @param {HTMLMediaElement} player @param {MediaStreamTrack | null} track */
function attach(player, track) {
  const playing = /** @type {MediaStream | null} */ (player.srcObject);
  if (playing?.getTracks()[0] === track) return;
  player.srcObject = track ? new MediaStream([track]) : null;
}

/** @param {{track: MediaStreamTrack | null, mirrored?: boolean, class?: string}} props */
export function Picture({ track, mirrored = false, class: name = "" }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  useEffect(() => {
    if (!video.current) return;
    video.current.muted = true;
    attach(video.current, track);
  }, [track]);
  return html`<video ref=${video} class="${name} ${mirrored ? "mirrored" : ""}" autoplay playsinline hidden=${!track} aria-hidden="true" tabindex="-1"></video>`;
}

/** @param {{track: MediaStreamTrack | null, speaker: string, onBlocked: (player: HTMLAudioElement) => void}} props */
export function Voice({ track, speaker, onBlocked }) {
  const audio = useRef(/** @type {HTMLAudioElement | null} */ (null));
  useEffect(() => {
    const player = audio.current;
    if (!player) return;
    attach(player, track);
    if (track) {
      player.play().catch((/** @type {DOMException} */ error) => {
        if (error.name === "NotAllowedError") onBlocked(player);
      });
    }
  }, [track]);
  useEffect(() => {
    if (audio.current) void playThrough(audio.current, speaker);
  }, [speaker]);
  return html`<audio ref=${audio}></audio>`;
}
