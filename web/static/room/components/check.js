// Before entering: name, picture, microphone, sound, connection; and what to do when one of them does not work.
import { useEffect, useRef, useState } from "preact/hooks";

import { Refused, testConnection } from "../connection_test.js";
import { NONE, open } from "../devices.js";
import { help, recognise } from "../help.js";
import { keep, recall } from "../kept.js";
import { Level } from "../level.js";
import { t } from "../text.js";
import { tone } from "../tone.js";
import { html } from "../view.js";
import { Icon } from "./icons.js";
import { DeviceField, useDevices } from "./settings.js";
import { Picture } from "./track.js";

const METER_MS = 100;
const LOUDEST = 160;

/** @typedef {import("../visit.js").Tracks} Tracks */
/** @typedef {import("../devices.js").Problem} Problem */

/** @param {{problem: Problem, onRetry: () => void}} props */
function Help({ problem, onRetry }) {
  const texts = help(problem, recognise(navigator.userAgent, navigator.maxTouchPoints));
  return html`<div class="help">
    <p><strong><${Icon} name="warning" /> ${t(`check_${texts.what}`)}</strong></p>
    <p>${t(`check_${texts.how}`)}</p>
    <button type="button" onClick=${onRetry}>${t("check_retry")}</button>
  </div>`;
}

/** The microphone's level, as a bar and in words. @param {{track: MediaStreamTrack | undefined}} props */
function Meter({ track }) {
  const bar = useRef(/** @type {HTMLElement | null} */ (null));
  const [state, setState] = useState(/** @type {"good" | "silent" | "wait" | "none"} */ ("none"));
  useEffect(() => {
    if (!track) {
      setState("none");
      return undefined;
    }
    const level = new Level(track);
    const timer = setInterval(() => {
      const now = level.read();
      if (bar.current) bar.current.style.transform = `scaleX(${Math.min(1, (now.level * LOUDEST) / 100)})`;
      setState(now.state);
    }, METER_MS);
    return () => {
      clearInterval(timer);
      level.close();
    };
  }, [track]);
  return html`<div class="level ${state}">
    <div class="meter" aria-hidden="true"><div ref=${bar}></div></div>
    <p role="status">${state === "silent" && html`<${Icon} name="warning" />`}${state === "good" && html`<${Icon} name="check" />`}<span>${t(`check_level_${state}`)}</span></p>
  </div>`;
}

/** @param {{speaker: string, devices: MediaDeviceInfo[], onChoose: (id: string) => void}} props */
function Speaker({ speaker, devices, onChoose }) {
  const [asked, setAsked] = useState(/** @type {"" | "playing" | "asked" | "yes" | "no"} */ (""));
  const play = async () => {
    setAsked("playing");
    await tone(speaker);
    setAsked("asked");
  };
  return html`<div class="part">
    ${devices.length > 0 && html`<${DeviceField} id="speaker" label=${t("check_speaker")} devices=${devices} value=${speaker} onChoose=${onChoose} />`}
    ${devices.length === 0 && html`<h2 class="small">${t("check_speaker")}</h2>`}
    <div class="row">
      <button type="button" onClick=${play} disabled=${asked === "playing"}>${t(asked === "playing" ? "check_playing" : "check_speaker_try")}</button>
      ${asked === "asked" && html`<span role="status">${t("check_heard")}</span>
        <button type="button" onClick=${() => setAsked("yes")}>${t("yes")}</button>
        <button type="button" onClick=${() => setAsked("no")}>${t("no")}</button>`}
      ${asked === "yes" && html`<span role="status" class="fine"><${Icon} name="check" /> ${t("check_heard_yes")}</span>`}
    </div>
    ${asked === "no" && html`<p role="status" class="help">${t("check_heard_no")}</p>`}
  </div>`;
}

/** @param {{visit: string, link: string, ends: AbortSignal, onRefused: (text: string) => void}} props */
function ConnectionTest({ visit, link, ends, onRefused }) {
  const [result, setResult] = useState(/** @type {import("../connection_test.js").Result | null} */ (null));
  const run = async () => {
    setResult(null);
    try {
      const found = await testConnection(visit, link, ends);
      if (!ends.aborted) setResult(found);
    } catch (error) {
      if (error instanceof Refused && !ends.aborted) onRefused(error.message);
    }
  };
  useEffect(() => void run(), []);
  const verdict = result?.verdict ?? "running";
  const numbers = result && result.rttMs !== null ? t("test_numbers", { rtt: result.rttMs, loss: result.lossPercent ?? 0 }) : "";
  return html`<div class="part connection ${verdict}" data-verdict=${verdict}>
    <h2 class="small">${t("test_title")}</h2>
    <p role="status">
      ${verdict === "running" ? html`<span class="wait" aria-hidden="true"></span>` : html`<${Icon} name=${verdict === "good" ? "check" : "warning"} />`}
      <span>${t(`test_${verdict}`)} ${numbers && html`<span class="quiet">${numbers}</span>`}</span>
    </p>
    ${verdict !== "running" && verdict !== "good" && html`<p class="help">${t(`test_${verdict}_how`)}</p>
      <button type="button" onClick=${run}>${t("test_again")}</button>`}
  </div>`;
}

/**
 * @param {{visit: string, link: string, onRefused: (text: string) => void, onEnter: (name: string, tracks: Tracks, chosen: import("../visit.js").Chosen) => void}} props
 */
export function Check({ visit, link, onRefused, onEnter }) {
  const [chosen, setChosen] = useState({ camera: recall("camera"), microphone: recall("microphone"), speaker: recall("speaker") });
  const [tracks, setTracks] = useState(/** @type {Tracks} */ ({}));
  const [problems, setProblems] = useState(/** @type {Problem[]} */ ([]));
  const [entering, setEntering] = useState(false);
  const { devices, look } = useDevices();
  const name = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [ends] = useState(() => new AbortController());
  /** What is open now, and the opening under way: whoever is quick enters with both all the same. */
  const opening = useRef(/** @type {Promise<Tracks>} */ (Promise.resolve({})));

  const start = (/** @type {import("../devices.js").Choice} */ choice) => {
    opening.current = opening.current.then(async (before) => {
      before.camera?.stop();
      before.microphone?.stop();
      const { camera, microphone, problems: found } = await open(choice);
      const opened = { camera, microphone };
      setTracks(opened);
      setProblems(found);
      look();
      return opened;
    });
  };
  useEffect(() => {
    start(chosen);
    name.current?.focus();
  }, []);

  const choose = (/** @type {"camera" | "microphone" | "speaker"} */ device, /** @type {string} */ id) => {
    const next = { ...chosen, [device]: id };
    setChosen(next);
    keep(device, id);
    if (device !== "speaker") start(next);
  };

  const refused = async (/** @type {string} */ text) => {
    ends.abort();
    const { camera, microphone } = await opening.current;
    camera?.stop();
    microphone?.stop();
    onRefused(text);
  };

  const enter = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const typed = name.current?.value.trim() ?? "";
    if (!typed || entering) return;
    setEntering(true);
    keep("name", typed);
    ends.abort();
    const opened = await opening.current;
    onEnter(typed, opened, {
      ...chosen,
      camera: opened.camera?.getSettings().deviceId ?? chosen.camera,
      microphone: opened.microphone?.getSettings().deviceId ?? chosen.microphone,
    });
  };

  const used = {
    camera: chosen.camera === NONE ? NONE : (tracks.camera?.getSettings().deviceId ?? chosen.camera),
    microphone: chosen.microphone === NONE ? NONE : (tracks.microphone?.getSettings().deviceId ?? chosen.microphone),
  };
  return html`<form class="card check" onSubmit=${enter}>
    <h1>${t("check_title")}</h1>
    <p class="lead">${t("check_lead")}</p>
    <div class="look">
      <div class="preview">
        <${Picture} track=${tracks.camera ?? null} mirrored=${true} />
        ${!tracks.camera && html`<p>${t(chosen.camera === NONE ? "check_no_camera" : problems.some((each) => each.device === "camera") ? "check_camera_off" : "check_camera_wait")}</p>`}
      </div>
      <div role="alert">${problems.map((problem) => html`<${Help} key=${problem.device} problem=${problem} onRetry=${() => start(chosen)} />`)}</div>
      <${DeviceField} id="camera" label=${t("check_camera")} devices=${devices.camera} value=${used.camera} none=${t("check_without_camera")}
        onChoose=${(/** @type {string} */ id) => choose("camera", id)} />
    </div>
    <div class="say">
      <div class="field">
        <label for="name">${t("check_name")}</label>
        <input id="name" ref=${name} autocomplete="name" maxlength="80" required aria-describedby="name-hint" defaultValue=${recall("name")} />
        <p class="quiet" id="name-hint">${t("check_name_hint")}</p>
      </div>
      <${DeviceField} id="microphone" label=${t("check_microphone")} devices=${devices.microphone} value=${used.microphone} none=${t("check_without_microphone")}
        onChoose=${(/** @type {string} */ id) => choose("microphone", id)} />
      <${Meter} track=${tracks.microphone} />
      <${Speaker} speaker=${chosen.speaker} devices=${devices.speaker} onChoose=${(/** @type {string} */ id) => choose("speaker", id)} />
      <${ConnectionTest} visit=${visit} link=${link} ends=${ends.signal} onRefused=${refused} />
    </div>
    <div class="actions enter">
      <button class="primary large" type="submit" disabled=${entering}>${t(entering ? "link_entering" : "check_enter")}</button>
    </div>
  </form>`;
}
