// Before entering: name, camera, microphone, speaker; what to do when something is blocked.
import { element } from "./dom.js";
import { t } from "./text.js";

const SILENCE_MS = 4000;
const AUDIBLE = 0.02;
const NAME_KEY = "parvis.name";

/** @returns {Promise<{name: string, stream: MediaStream}>} */
export function check() {
  const root = /** @type {HTMLElement} */ (document.getElementById("room"));
  const preview = element("video", { class: "preview", autoplay: true, playsinline: true });
  preview.muted = true;
  const name = element("input", { id: "name", autocomplete: "name", maxlength: 80, required: true, "aria-describedby": "name-hint" });
  name.value = localStorage.getItem(NAME_KEY) ?? "";
  const camera = element("select", { id: "camera" });
  const microphone = element("select", { id: "microphone" });
  const bar = element("div");
  const words = element("p", { role: "status" }, t("check_level_wait"));
  const problem = element("p", { class: "warning", role: "alert" });
  const enter = element("button", { class: "primary", type: "submit" }, t("check_enter"));
  let stream = new MediaStream();
  let heardAt = 0;
  let since = performance.now();
  /** @type {AudioContext | null} */
  let context = null;
  let level = () => 0;
  /** Whoever is quick enters with camera and microphone all the same. */
  let opening = Promise.resolve();

  async function open() {
    stream.getTracks().forEach((track) => track.stop());
    problem.textContent = "";
    if (!navigator.mediaDevices) {
      problem.textContent = t("check_insecure");
      return;
    }
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, deviceId: microphone.value || undefined };
    const video = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 }, deviceId: camera.value || undefined };
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio, video });
    } catch (error) {
      const kind = /** @type {DOMException} */ (error).name;
      try {
        stream = await navigator.mediaDevices.getUserMedia({ audio });
      } catch {
        stream = new MediaStream();
        problem.textContent = t(kind === "NotAllowedError" ? "check_denied" : kind === "NotReadableError" ? "check_busy" : "check_missing");
      }
    }
    preview.srcObject = stream;
    listen();
    await list();
  }

  function listen() {
    since = performance.now();
    heardAt = 0;
    if (!stream.getAudioTracks().length) {
      level = () => 0;
      return;
    }
    context ??= new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    level = () => {
      analyser.getFloatTimeDomainData(samples);
      return Math.max(...samples.map(Math.abs));
    };
  }

  async function list() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    for (const [select, kind, track] of /** @type {const} */ ([
      [camera, "videoinput", stream.getVideoTracks()[0]],
      [microphone, "audioinput", stream.getAudioTracks()[0]],
    ])) {
      const options = devices.filter((device) => device.kind === kind);
      select.replaceChildren(...options.map((device) => element("option", { value: device.deviceId }, device.label || "—")));
      const used = track?.getSettings().deviceId;
      if (used) select.value = used;
      select.disabled = options.length === 0;
    }
  }

  function tone() {
    const output = new AudioContext();
    const gain = new GainNode(output, { gain: 0.15 });
    const oscillator = new OscillatorNode(output, { frequency: 440 });
    oscillator.connect(gain).connect(output.destination);
    oscillator.start();
    oscillator.stop(output.currentTime + 0.8);
    oscillator.onended = () => output.close();
  }

  const meter = setInterval(() => {
    const now = performance.now();
    const value = level();
    bar.style.width = `${Math.min(100, Math.round(value * 160))}%`;
    if (value > AUDIBLE) heardAt = now;
    const key = heardAt && now - heardAt < SILENCE_MS ? "good" : now - Math.max(heardAt, since) > SILENCE_MS && stream.getAudioTracks().length ? "silent" : "wait";
    const text = t(`check_level_${key}`);
    if (words.textContent !== text) words.textContent = text;
    words.classList.toggle("warning", key === "silent");
  }, 100);

  return new Promise((resolve) => {
    const form = element(
      "form",
      {
        class: "card check",
        onsubmit: async (/** @type {Event} */ event) => {
          event.preventDefault();
          enter.disabled = true;
          await opening;
          clearInterval(meter);
          context?.close();
          localStorage.setItem(NAME_KEY, name.value.trim());
          resolve({ name: name.value.trim(), stream });
        },
      },
      element("h1", {}, t("check_title")),
      element("p", { class: "lead" }, t("check_lead")),
      element("div", {}, preview, problem),
      element(
        "div",
        {},
        element("label", { for: "name" }, t("check_name")),
        name,
        element("p", { class: "quiet", id: "name-hint" }, t("check_name_hint")),
        element("label", { for: "camera" }, t("check_camera")),
        camera,
        element("label", { for: "microphone" }, t("check_microphone")),
        microphone,
        element("div", { class: "meter", role: "img", "aria-label": t("check_level") }, bar),
        words,
        element("div", { class: "actions" }, element("button", { type: "button", onclick: tone }, t("check_speaker")), enter),
      ),
    );
    camera.onchange = microphone.onchange = () => (opening = open());
    root.replaceChildren(form);
    opening = open();
    name.focus();
  });
}
