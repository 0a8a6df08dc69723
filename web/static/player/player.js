// A recording being played: the clock, the tracks that follow it, what the person chose.
import { computed, signal } from "@preact/signals";

import { keep, recall } from "../room/kept.js";
import { Clock } from "./clock.js";
import { Tracks } from "./tracks.js";
import { segmentAt } from "./words.js";

export const RATES = [0.5, 0.75, 1, 1.25, 1.5, 2];
export const STEP_S = 10;

export class Player {
  /** @param {Recording.Manifest} manifest */
  constructor(manifest) {
    this.manifest = { ...manifest, segments: [...manifest.segments].sort((one, other) => one.start_s - other.start_s) };
    const last = Math.max(0, ...manifest.tracks.map((track) => track.start_s + track.duration_s));
    this.clock = new Clock(Math.max(manifest.duration_s ?? 0, last));
    this.tracks = new Tracks(this.clock);
    this.segment = computed(() => segmentAt(this.manifest.segments, this.clock.position.value));
    this.speaker = computed(() => this.manifest.segments[this.segment.value]?.participant ?? "");
    this.view = signal(recall("player_view", "grid"));
    this.keys = signal(recall("player_keys", "on") === "on");
    this.loud = 1;
  }

  toggle() {
    if (this.clock.playing.value) this.clock.pause();
    else this.clock.play();
  }

  /** @param {number} by_s */
  jump(by_s) {
    this.clock.seek(this.clock.now() + by_s);
  }

  /** Play from a moment on. @param {number} from_s */
  hear(from_s) {
    this.clock.seek(from_s);
    this.clock.play();
  }

  /** @param {string} view */
  setView(view) {
    this.view.value = view;
    keep("player_view", view);
  }

  /** @param {boolean} on */
  setKeys(on) {
    this.keys.value = on;
    keep("player_keys", on ? "on" : "off");
  }

  /** @param {number} by how many steps */
  changeRate(by) {
    const place = RATES.indexOf(this.clock.rate.value) + by;
    if (place >= 0 && place < RATES.length) this.clock.setRate(RATES[place]);
  }

  toggleSound() {
    const { volume } = this.tracks;
    if (volume.value > 0) this.loud = volume.value;
    this.tracks.setVolume(volume.value > 0 ? 0 : this.loud);
  }

  /** Listen for keys until the returned function is called. */
  listen() {
    /** @type {Record<string, () => void>} */
    const acts = {
      k: () => this.toggle(),
      j: () => this.jump(-STEP_S),
      l: () => this.jump(STEP_S),
      ",": () => this.changeRate(-1),
      ".": () => this.changeRate(1),
      m: () => this.toggleSound(),
    };
    const down = (/** @type {KeyboardEvent} */ event) => {
      if (!this.keys.value || event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.target instanceof HTMLElement && event.target.matches("select, textarea, input:not([type=range]):not([type=checkbox])")) return;
      const act = acts[event.key.toLowerCase()];
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", down);
    return () => {
      document.removeEventListener("keydown", down);
      this.tracks.close();
    };
  }
}
