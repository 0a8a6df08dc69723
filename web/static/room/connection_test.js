// A real round trip to the media worker before entering: does media pass, how fast, how much is lost?
// What is sent is made here (silence and noise on a canvas): nobody's voice or face leaves the machine before they enter.

const CONNECT_MS = 8000;
const MEASURE_MS = 3000;
const LOSS_WEAK = 0.03;
const ROUND_TRIP_WEAK_S = 0.3;
const WIDTH = 320;
const HEIGHT = 180;
const FRAMES_PER_S = 15;

/** The link itself is no good: `text` says why, in the reader's language. */
export class Refused extends Error {}

/** @typedef {{verdict: "good" | "weak" | "blocked" | "unavailable", connectMs: number | null, rttMs: number | null, lossPercent: number | null}} Result */

/** Pictures that no encoder can make small. */
function noise() {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(WIDTH, HEIGHT);
  const draw = () => {
    for (let at = 0; at < image.data.length; at += 4) {
      image.data[at] = image.data[at + 1] = image.data[at + 2] = Math.random() * 255;
      image.data[at + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  };
  draw();
  const timer = setInterval(draw, 1000 / FRAMES_PER_S);
  return { track: canvas.captureStream(FRAMES_PER_S).getVideoTracks()[0], stop: () => clearInterval(timer) };
}

/** @param {RTCPeerConnection} peer @param {AbortSignal} signal @returns {Promise<boolean>} */
function connected(peer, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), CONNECT_MS);
    const look = () => {
      if (peer.connectionState === "connected" || peer.connectionState === "failed") {
        clearTimeout(timer);
        resolve(peer.connectionState === "connected");
      }
    };
    peer.onconnectionstatechange = look;
    signal.addEventListener("abort", () => resolve(false), { once: true });
    look();
  });
}

/** @param {RTCPeerConnection} peer */
async function measure(peer) {
  let rtt_s = null;
  let loss = null;
  for (const report of (await peer.getStats()).values()) {
    if (report.type === "candidate-pair" && report.nominated && report.currentRoundTripTime !== undefined) {
      rtt_s = report.currentRoundTripTime;
    }
    if (report.type === "remote-inbound-rtp") {
      if (report.roundTripTime !== undefined) rtt_s ??= report.roundTripTime;
      if (report.fractionLost !== undefined) loss = Math.max(loss ?? 0, report.fractionLost);
    }
  }
  return { rtt_s, loss };
}

/**
 * Try the way to the media worker.
 * @param {string} visit @param {string} link the token @param {AbortSignal} signal ends the test early
 * @returns {Promise<Result>} throws Refused
 */
export async function testConnection(visit, link, signal) {
  /** @type {Result} */
  const nothing = { verdict: "unavailable", connectMs: null, rttMs: null, lossPercent: null };
  const picture = noise();
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  try {
    peer.addTransceiver(picture.track, { direction: "sendonly", sendEncodings: [{ maxBitrate: 600_000 }] });
    await peer.setLocalDescription();
    const response = await fetch(`/v/${visit}/connection-test`, {
      method: "POST",
      headers: { authorization: `Bearer ${link}`, "content-type": "application/sdp" },
      body: peer.localDescription?.sdp,
      signal,
    });
    if (response.status === 401) throw new Refused((await response.json()).text[document.documentElement.lang]);
    if (response.status !== 201) return nothing;
    const started = performance.now();
    await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
    if (!(await connected(peer, signal))) return signal.aborted ? nothing : { ...nothing, verdict: "blocked" };
    const connectMs = Math.round(performance.now() - started);
    await new Promise((resolve) => {
      setTimeout(resolve, MEASURE_MS);
      signal.addEventListener("abort", resolve, { once: true });
    });
    const { rtt_s, loss } = await measure(peer);
    if (signal.aborted) return nothing;
    const weak = (loss ?? 0) > LOSS_WEAK || (rtt_s ?? 0) > ROUND_TRIP_WEAK_S;
    return {
      verdict: weak ? "weak" : "good",
      connectMs,
      rttMs: rtt_s === null ? null : Math.round(rtt_s * 1000),
      lossPercent: loss === null ? null : Math.round(loss * 1000) / 10,
    };
  } catch (error) {
    if (error instanceof Refused) throw error;
    return nothing;
  } finally {
    picture.stop();
    picture.track.stop();
    peer.close();
  }
}
