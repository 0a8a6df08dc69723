// Two notes through the chosen speaker.
import { playThrough } from "./devices.js";

const NOTES = [523.25, 659.25];
const EACH_S = 0.45;
const LOUD = 0.2;

/** Resolves when they have been played. @param {string} speaker device id, "" is the system's */
export async function tone(speaker) {
  const context = new AudioContext();
  const output = context.createMediaStreamDestination();
  const player = new Audio();
  player.srcObject = output.stream;
  await playThrough(player, speaker);
  try {
    await player.play();
    await context.resume();
    const last = NOTES.map((frequency, place) => {
      const start = context.currentTime + 0.1 + place * EACH_S;
      const gain = new GainNode(context, { gain: 0 });
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(LOUD, start + 0.03);
      gain.gain.linearRampToValueAtTime(0, start + EACH_S);
      const oscillator = new OscillatorNode(context, { frequency });
      oscillator.connect(gain).connect(output);
      oscillator.start(start);
      oscillator.stop(start + EACH_S);
      return oscillator;
    }).at(-1);
    await new Promise((resolve) => last && (last.onended = resolve));
  } catch {
    // no sound here; the question that follows finds it out
  } finally {
    await context.close();
  }
}
