// Who is here, in words: microphone, hand, connection; for hosts, what they may do about it.
import { useState } from "preact/hooks";

import { t } from "../text.js";
import { html } from "../view.js";
import { Bars, Icon } from "./icons.js";
import { Panel } from "./panel.js";
import { statesOf } from "./stage.js";

const COPIED_MS = 3000;

/** @param {{visit: import("../visit.js").Visit, primary?: boolean}} props */
export function CopyLink({ visit, primary = false }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    if (!(await visit.copyLink())) return;
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED_MS);
  };
  return html`<button type="button" class=${primary ? "primary" : ""} onClick=${copy}>
    <${Icon} name=${copied ? "check" : "link"} /><span>${t(copied ? "copied" : "copy_link")}</span>
  </button>`;
}

/** @param {{visit: import("../visit.js").Visit, person: Protocol.ParticipantInfo}} props */
function Row({ visit, person }) {
  const { state } = visit;
  const is = statesOf(visit, person);
  const microphone = state.publicationOf(person.id, "microphone");
  const words = [
    t(`role_${person.role}`),
    is.away ? t("away") : is.absent ? t("no_microphone") : t(is.muted ? "muted" : "microphone_open"),
    is.hand ? t("hand_raised") : "",
  ].filter(Boolean);
  return html`<li>
    <div class="who">
      <strong>${person.name}${is.self ? ` (${t("you")})` : ""}</strong>
      <span class="quiet">${words.join(" · ")}</span>
      ${person.quality !== null && html`<span class="quiet"><${Bars} quality=${person.quality} /> ${t("quality", { words: t(`quality_${person.quality}`) })}</span>`}
    </div>
    ${!is.self && (state.may("mute") || state.may("remove")) &&
    html`<div class="acts">
      ${state.may("mute") && microphone && !microphone.muted &&
      html`<button type="button" onClick=${() => visit.mute(microphone)}>${t("mute_them")}<span class="visually-hidden"> ${person.name}</span></button>`}
      ${state.may("mute") && is.hand &&
      html`<button type="button" onClick=${() => visit.lowerHand(person.id)}>${t("hand_lower")}<span class="visually-hidden"> ${person.name}</span></button>`}
      ${state.may("remove") &&
      html`<button type="button" onClick=${() => (visit.asking.value = { kind: "remove", participant: person })}>
        ${t("remove_them")}<span class="visually-hidden"> ${person.name}</span>
      </button>`}
    </div>`}
  </li>`;
}

/** @param {{visit: import("../visit.js").Visit}} props */
export function People({ visit }) {
  const people = [...visit.state.participants.value.values()];
  return html`<${Panel} visit=${visit} name="people">
    ${visit.state.guestLink.value && html`<div class="invite"><${CopyLink} visit=${visit} /><p class="quiet">${t("copy_link_hint")}</p></div>`}
    <ul class="list">
      ${people.map((person) => html`<${Row} key=${person.id} visit=${visit} person=${person} />`)}
    </ul>
  <//>`;
}
