// Keeping the elements of all tracks at the clock's time: far off they jump, a little off they run faster or slower.
import { signal } from "@preact/signals";

const STEP_MS = 100;
/** Below this nobody hears or sees a difference. */
const FINE_S = 0.015;
const JUMP_S = 0.25;
/** Per second of being off, at most this much faster or slower. */
const LEAN = 0.8;
const MOST_LEAN = 0.06;
/** Ends of files are not exact to the picture. */
const END_S = 0.3;
const PATIENCE_MS = 6000;

/** @typedef {{track: Recording.Track, player: HTMLMediaElement, waitsSince: number, failed: boolean}} Followed */

export class Tracks {
  /** @param {import("./clock.js").Clock} clock */
  constructor(clock) {
    this.clock = clock;
    /** @type {Map<string, Followed>} */
    this.followed = new Map();
    /** Tracks that have something at this time, by file. @type {import("@preact/signals").Signal<Set<string>>} */
    this.active = signal(new Set());
    /** Files that this browser cannot play. @type {import("@preact/signals").Signal<Set<string>>} */
    this.failed = signal(new Set());
    this.volume = signal(1);
    this.timer = setInterval(() => this.step(), STEP_MS);
  }

  /** @param {Recording.Track} track @param {HTMLMediaElement} player */
  add(track, player) {
    const followed = { track, player, waitsSince: 0, failed: false };
    this.followed.set(track.file, followed);
    player.onerror = () => {
      followed.failed = true;
      this.failed.value = new Set(this.failed.value).add(track.file);
    };
    player.volume = this.volume.value;
    this.step();
    return () => {
      player.pause();
      this.followed.delete(track.file);
    };
  }

  /** @param {number} volume 0 to 1 */
  setVolume(volume) {
    this.volume.value = volume;
    for (const { player } of this.followed.values()) player.volume = volume;
  }

  /** Bring every element to the clock's time. */
  step() {
    const { clock } = this;
    const now = clock.now();
    if (now >= clock.duration_s && clock.playing.value) clock.pause();
    clock.position.value = now;
    const runs = clock.runs.value;
    const active = new Set();
    let waiting = false;
    for (const followed of this.followed.values()) {
      const { track, player } = followed;
      const want = now - track.start_s;
      if (followed.failed || want < 0 || want >= track.duration_s) {
        if (!player.paused) player.pause();
        followed.waitsSince = 0;
        continue;
      }
      active.add(track.file);
      this.follow(player, want, runs);
      if (want < track.duration_s - END_S && this.waits(followed)) waiting = true;
    }
    clock.wait(waiting && clock.playing.value);
    const before = this.active.value;
    if (active.size !== before.size || [...active].some((file) => !before.has(file))) this.active.value = active;
  }

  /** @param {HTMLMediaElement} player @param {number} want @param {boolean} runs */
  follow(player, want, runs) {
    if (player.readyState < HTMLMediaElement.HAVE_METADATA || player.seeking) return;
    const off = player.currentTime - want;
    const rate = this.clock.rate.value;
    if (Math.abs(off) > JUMP_S || (!runs && Math.abs(off) > FINE_S)) {
      player.currentTime = want;
      player.playbackRate = rate;
    } else if (Math.abs(off) > FINE_S) {
      player.playbackRate = rate * (1 - Math.min(MOST_LEAN, Math.max(-MOST_LEAN, off * LEAN)));
    } else if (player.playbackRate !== rate) player.playbackRate = rate;
    if (runs && player.paused) player.play().catch(() => this.clock.pause());
    else if (!runs && !player.paused) player.pause();
  }

  /** Whether a track has nothing to play; one that never gets anything is not waited for. @param {Followed} followed */
  waits(followed) {
    const { player } = followed;
    const ready = player.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA && !player.seeking;
    if (ready || player.ended) {
      followed.waitsSince = 0;
      return false;
    }
    followed.waitsSince ||= performance.now();
    return performance.now() - followed.waitsSince < PATIENCE_MS;
  }

  close() {
    clearInterval(this.timer);
  }
}
