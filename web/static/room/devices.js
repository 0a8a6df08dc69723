// Cameras, microphones and speakers: opening them, listing them, and why one does not open. No DOM but the browser's devices.

/** @typedef {"camera" | "microphone"} Device */
/** @typedef {"insecure" | "denied" | "dismissed" | "system" | "missing" | "busy" | "unknown"} Reason */
/** @typedef {{device: Device, reason: Reason}} Problem */
/** @typedef {{camera: string, microphone: string}} Choice device ids; "" lets the browser choose, "none" goes without */

export const NONE = "none";

/** @param {string} id */
const audioOf = (id) => ({
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  ...(id ? { deviceId: { ideal: id } } : {}),
});

/** @param {string} id */
const videoOf = (id) => ({
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 30 },
  ...(id ? { deviceId: { ideal: id } } : { facingMode: "user" }),
});

/** @param {Device} device @param {unknown} error @returns {Promise<Reason>} */
async function reasonOf(device, error) {
  const { name, message } = /** @type {DOMException} */ (error);
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  if (name !== "NotAllowedError" && name !== "SecurityError") return "unknown";
  // Chromium says so; elsewhere a permission that is granted and refused all the same was refused by the system.
  if (/system/i.test(message)) return "system";
  if (/dismissed/i.test(message)) return "dismissed";
  try {
    const { state } = await navigator.permissions.query({ name: /** @type {PermissionName} */ (device) });
    if (state === "granted") return "system";
    if (state === "prompt") return "dismissed";
  } catch {
    // this browser does not tell
  }
  return "denied";
}

/** Open one device. @param {Device} device @param {string} id @returns {Promise<MediaStreamTrack>} */
export async function openOne(device, id) {
  const wish = device === "camera" ? { video: videoOf(id) } : { audio: audioOf(id) };
  const [track] = (await navigator.mediaDevices.getUserMedia(wish)).getTracks();
  return track;
}

/**
 * Open camera and microphone as chosen: with one question if possible, else each by itself.
 * @param {Choice} choice
 * @returns {Promise<{camera?: MediaStreamTrack, microphone?: MediaStreamTrack, problems: Problem[]}>}
 */
export async function open({ camera, microphone }) {
  const wanted = /** @type {Device[]} */ (["camera", "microphone"]).filter(
    (device) => (device === "camera" ? camera : microphone) !== NONE,
  );
  if (!navigator.mediaDevices?.getUserMedia) {
    return { problems: wanted.map((device) => ({ device, reason: "insecure" })) };
  }
  if (wanted.length === 2) {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: audioOf(microphone), video: videoOf(camera) });
      return { camera: stream.getVideoTracks()[0], microphone: stream.getAudioTracks()[0], problems: [] };
    } catch {
      // which of the two it was, the next attempts tell
    }
  }
  /** @type {{camera?: MediaStreamTrack, microphone?: MediaStreamTrack, problems: Problem[]}} */
  const opened = { problems: [] };
  for (const device of wanted) {
    try {
      opened[device] = await openOne(device, device === "camera" ? camera : microphone);
    } catch (error) {
      opened.problems.push({ device, reason: await reasonOf(device, error) });
    }
  }
  return opened;
}

/**
 * What there is to choose from. Names come only after a device was allowed.
 * @returns {Promise<{camera: MediaDeviceInfo[], microphone: MediaDeviceInfo[], speaker: MediaDeviceInfo[]}>}
 */
export async function list() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (/** @type {MediaDeviceKind} */ kind) => devices.filter((device) => device.kind === kind && device.deviceId);
  return { camera: of("videoinput"), microphone: of("audioinput"), speaker: canChooseSpeaker() ? of("audiooutput") : [] };
}

export function canChooseSpeaker() {
  return "setSinkId" in HTMLMediaElement.prototype;
}

/** Play through the chosen speaker where the browser can. @param {HTMLMediaElement} player @param {string} id */
export async function playThrough(player, id) {
  if (!canChooseSpeaker() || player.sinkId === id) return;
  try {
    await player.setSinkId(id);
  } catch {
    // it was unplugged: the system's speaker plays
  }
}
