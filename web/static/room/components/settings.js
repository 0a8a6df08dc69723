// Devices, keys and appearance, to change while the visit goes on.
import { useEffect, useState } from "preact/hooks";

import { list } from "../devices.js";
import { theme } from "../../theme.js";
import { t } from "../text.js";
import { html } from "../view.js";

/** @typedef {{currentTarget: HTMLSelectElement}} Changed */

/**
 * @param {{id: string, label: string, devices: MediaDeviceInfo[], value: string, onChoose: (id: string) => void, none?: string}} props
 *   `none` is the text of the choice to go without
 */
export function DeviceField({ id, label, devices, value, onChoose, none }) {
  const known = value === "none" || devices.some((device) => device.deviceId === value);
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <select id=${id} disabled=${!devices.length && !none} value=${known ? value : (devices[0]?.deviceId ?? "none")}
      onChange=${(/** @type {Changed} */ event) => onChoose(event.currentTarget.value)}>
      ${devices.map((device, number) => html`<option key=${device.deviceId} value=${device.deviceId}>${device.label || t("device_number", { number: number + 1 })}</option>`)}
      ${none && html`<option value="none">${none}</option>`}
      ${!devices.length && !none && html`<option value="none">${t("no_device")}</option>`}
    </select>
  </div>`;
}

/** The devices of this machine, looked up again when one is plugged in. */
export function useDevices() {
  const [devices, setDevices] = useState(/** @type {Awaited<ReturnType<typeof list>>} */ ({ camera: [], microphone: [], speaker: [] }));
  const look = () => void list().then(setDevices);
  useEffect(() => {
    look();
    navigator.mediaDevices?.addEventListener("devicechange", look);
    return () => navigator.mediaDevices?.removeEventListener("devicechange", look);
  }, []);
  return { devices, look };
}

/** @param {{visit: import("../visit.js").Visit, onClose: () => void}} props */
export function Settings({ visit, onClose }) {
  const { devices, look } = useDevices();
  const chosen = visit.chosen.value;
  const choose = async (/** @type {import("../devices.js").Device} */ device, /** @type {string} */ id) => {
    await visit.choose(device, id);
    look();
  };
  return html`<div class="settings">
    ${visit.state.may("publish_audio") &&
    html`<${DeviceField} id="set-microphone" label=${t("check_microphone")} devices=${devices.microphone} value=${chosen.microphone}
      onChoose=${(/** @type {string} */ id) => void choose("microphone", id)} />`}
    ${visit.state.may("publish_video") &&
    html`<${DeviceField} id="set-camera" label=${t("check_camera")} devices=${devices.camera} value=${chosen.camera}
      onChoose=${(/** @type {string} */ id) => void choose("camera", id)} />`}
    ${devices.speaker.length > 0 &&
    html`<${DeviceField} id="set-speaker" label=${t("check_speaker")} devices=${devices.speaker} value=${chosen.speaker}
      onChoose=${(/** @type {string} */ id) => visit.setSpeaker(id)} />`}
    <div class="field">
      <label for="set-theme">${t("theme")}</label>
      <select id="set-theme" value=${theme()} onChange=${(/** @type {Changed} */ event) => theme(event.currentTarget.value)}>
        <option value="auto">${t("theme_auto")}</option>
        <option value="light">${t("theme_light")}</option>
        <option value="dark">${t("theme_dark")}</option>
      </select>
    </div>
    <h3>${t("keys")}</h3>
    <dl class="keys">
      <dt><kbd>Ctrl</kbd> + <kbd>D</kbd></dt><dd>${t("key_microphone")}</dd>
      <dt><kbd>Ctrl</kbd> + <kbd>E</kbd></dt><dd>${t("key_camera")}</dd>
      <dt><kbd>V</kbd></dt><dd>${t("key_talk")}</dd>
      <dt><kbd>${t("key_escape_name")}</kbd></dt><dd>${t("key_escape")}</dd>
    </dl>
    <label class="tick">
      <input type="checkbox" checked=${visit.talkKey.value}
        onChange=${(/** @type {{currentTarget: HTMLInputElement}} */ event) => visit.setTalkKey(event.currentTarget.checked)} />
      <span>${t("key_talk_on")}</span>
    </label>
    <div class="actions"><button type="button" class="primary" onClick=${onClose}>${t("close")}</button></div>
  </div>`;
}
