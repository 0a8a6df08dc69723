// The row of controls under the pictures; on a phone the rarer ones stand behind "More".
import { useState } from "preact/hooks";

import { t } from "../text.js";
import { html } from "../view.js";
import { Icon } from "./icons.js";

/**
 * A control: a pictogram over words. `short` are the words where there is no room for `label`, which stays its name.
 * @param {{icon: import("./icons.js").Name, label: string, short: string, onClick: () => void, class?: string,
 *   shortcut?: string, expanded?: boolean, disabled?: boolean, badge?: number, id?: string}} props
 */
export function Control({ icon, label, short, onClick, class: name = "", shortcut, expanded, disabled = false, badge = 0, id }) {
  return html`<button
    type="button"
    id=${id}
    class="control ${name}"
    onClick=${onClick}
    disabled=${disabled}
    aria-expanded=${expanded === undefined ? undefined : String(expanded)}
    aria-keyshortcuts=${shortcut}
    title=${shortcut ? shortcut.replace("Control", "Ctrl") : undefined}
  >
    <span class="pictogram"><${Icon} name=${icon} />${badge > 0 && html`<span class="badge" aria-hidden="true">${badge}</span>`}</span>
    <span class="long">${label}${badge > 0 && html`<span class="visually-hidden"> (${t("unread", { count: badge })})</span>`}</span>
    <span class="short" aria-hidden="true">${short}</span>
  </button>`;
}

/** Hang up: whoever may end the visit is asked which. @param {{visit: import("../visit.js").Visit}} props */
export function Leave({ visit }) {
  const leave = () => {
    if (visit.state.may("end")) visit.asking.value = { kind: "leave" };
    else visit.leave();
  };
  return html`<button type="button" class="leave" onClick=${leave}><${Icon} name="leave" /><span>${t("leave")}</span></button>`;
}

/** @param {{visit: import("../visit.js").Visit}} props */
export function Controls({ visit }) {
  const { state } = visit;
  const [more, setMore] = useState(false);
  const recording = state.recording.value.state;
  const runs = recording === "active" || recording === "starting";
  const canShare = state.may("publish_screen") && Boolean(navigator.mediaDevices?.getDisplayMedia);
  const panel = (/** @type {import("../visit.js").Panel} */ name, badge = 0) => html`<${Control}
    id=${`open-${name}`} icon=${name || "people"} label=${t(name)} short=${t(name)} class="rare" badge=${badge}
    expanded=${visit.panel.value === name} onClick=${() => {
      setMore(false);
      visit.show(name);
    }} />`;
  return html`<div class="controls ${more ? "more" : ""}" role="group" aria-label=${t("controls")}>
    ${state.may("publish_audio") &&
    html`<${Control} icon=${visit.microphoneOn.value ? "microphone" : "microphone_off"} class=${visit.microphoneOn.value ? "" : "off"}
      label=${t(visit.microphoneOn.value ? "mute" : "unmute")} short=${t("microphone_short")} shortcut="Control+D"
      onClick=${() => visit.toggleMicrophone()} />`}
    ${state.may("publish_video") &&
    html`<${Control} icon=${visit.cameraOn.value ? "camera" : "camera_off"} class=${visit.cameraOn.value ? "" : "off"}
      label=${t(visit.cameraOn.value ? "camera_off" : "camera_on")} short=${t("camera_short")} shortcut="Control+E"
      onClick=${() => visit.toggleCamera()} />`}
    ${state.may("raise_hand") &&
    html`<${Control} icon="hand" class=${visit.hand.value ? "on" : ""} label=${t(visit.hand.value ? "hand_lower" : "hand")}
      short=${t("hand_short")} onClick=${() => visit.toggleHand()} />`}
    ${canShare &&
    html`<${Control} icon="screen" class="rare ${visit.sharing.value ? "on" : ""}" label=${t(visit.sharing.value ? "share_stop" : "share")}
      short=${t("share_short")} onClick=${() => void visit.toggleShare()} />`}
    ${state.may("see_captions") && panel("captions")}
    ${state.may("chat") && html`<${Control} id="open-chat" icon="chat" label=${t("chat")} short=${t("chat")} badge=${visit.unread.value}
      expanded=${visit.panel.value === "chat"} onClick=${() => visit.show("chat")} />`}
    ${panel("people")}
    ${state.may("record") &&
    html`<${Control} icon=${runs ? "stop" : "record"} class="rare ${runs ? "recording" : ""}" label=${t(runs ? "record_stop" : "record")}
      short=${t("record_short")} disabled=${recording === "starting" || recording === "stopping"}
      onClick=${() => (visit.asking.value = { kind: runs ? "stop_recording" : "record" })} />`}
    <${Control} icon="settings" class="rare" label=${t("settings")} short=${t("settings")} onClick=${() => (visit.asking.value = { kind: "settings" })} />
    <${Control} icon="more" class="opener" label=${t("more_controls")} short=${t("more_short")} expanded=${more} onClick=${() => setMore(!more)} />
  </div>`;
}
