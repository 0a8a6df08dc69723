// The one clock that all tracks of a recording follow.
import { computed, signal } from "@preact/signals";

export class Clock {
  /** @param {number} duration_s */
  constructor(duration_s) {
    this.duration_s = duration_s;
    /** Seconds from the recording's start, as last shown. */
    this.position = signal(0);
    /** What the person wants. */
    this.playing = signal(false);
    /** A track has nothing to play yet: time stands still for all. */
    this.waiting = signal(false);
    this.rate = signal(1);
    this.runs = computed(() => this.playing.value && !this.waiting.value);
    this.base_s = 0;
    this.at = performance.now();
  }

  /** Seconds from the recording's start, now. */
  now() {
    const passed = this.runs.peek() ? ((performance.now() - this.at) / 1000) * this.rate.peek() : 0;
    return Math.min(this.duration_s, this.base_s + passed);
  }

  /** Count from here on anew; call before anything that changes the pace. */
  settle() {
    this.base_s = this.now();
    this.at = performance.now();
    this.position.value = this.base_s;
  }

  play() {
    if (this.now() >= this.duration_s) this.seek(0);
    this.settle();
    this.playing.value = true;
  }

  pause() {
    this.settle();
    this.playing.value = false;
  }

  /** @param {number} to_s */
  seek(to_s) {
    this.base_s = Math.min(this.duration_s, Math.max(0, to_s));
    this.at = performance.now();
    this.position.value = this.base_s;
  }

  /** @param {number} rate */
  setRate(rate) {
    this.settle();
    this.rate.value = rate;
  }

  /** @param {boolean} waiting */
  wait(waiting) {
    if (waiting === this.waiting.peek()) return;
    this.settle();
    this.waiting.value = waiting;
  }
}
