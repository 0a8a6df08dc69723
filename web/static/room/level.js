// How loud a microphone is, and whether it is silent.

const AUDIBLE = 0.02;
const STAY_MS = 4000;

export class Level {
  /** @param {MediaStreamTrack} track */
  constructor(track) {
    this.context = new AudioContext();
    this.analyser = new AnalyserNode(this.context, { fftSize: 1024 });
    this.context.createMediaStreamSource(new MediaStream([track])).connect(this.analyser);
    this.samples = new Float32Array(this.analyser.fftSize);
    this.since = performance.now();
    this.heardAt = 0;
  }

  /**
   * Look now.
   * @returns {{level: number, state: "good" | "silent" | "wait"}} level from 0 to 1
   */
  read() {
    // Browsers keep sound asleep until the person has touched the page; silence then says nothing.
    if (this.context.state === "suspended") {
      void this.context.resume();
      this.since = performance.now();
    }
    const now = performance.now();
    this.analyser.getFloatTimeDomainData(this.samples);
    let level = 0;
    for (const sample of this.samples) level = Math.max(level, Math.abs(sample));
    if (level > AUDIBLE) this.heardAt = now;
    const heard = this.heardAt > 0 && now - this.heardAt < STAY_MS;
    const silent = now - Math.max(this.heardAt, this.since) > STAY_MS;
    return { level, state: heard ? "good" : silent ? "silent" : "wait" };
  }

  close() {
    void this.context.close();
  }
}
