// Questions: a native dialog keeps the focus inside and gives it back.
import { useEffect, useRef } from "preact/hooks";

import { t } from "../text.js";
import { html } from "../view.js";
import { Settings } from "./settings.js";

/** @param {{title: string, onClose: () => void, class?: string, children: unknown}} props */
export function Dialog({ title, onClose, class: name = "", children }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const shown = dialog.current;
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    shown?.showModal();
    return () => {
      shown?.close();
      // A dialog that leaves the page while it is open does not give the focus back by itself.
      before?.focus();
    };
  }, []);
  return html`<dialog ref=${dialog} class=${name} aria-labelledby="dialog-title" onClose=${onClose}>
    <h2 id="dialog-title" tabindex="-1" autofocus>${title}</h2>
    ${children}
  </dialog>`;
}

/**
 * @param {{title: string, lead: string, onClose: () => void,
 *   choices: {key: string, kind?: string, act: () => void}[]}} props the first choice has the focus
 */
function Question({ title, lead, choices, onClose }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p>${lead}</p>
    <div class="actions">
      ${choices.map(
        ({ key, kind = "", act }) => html`<button type="button" class=${kind} onClick=${() => {
          onClose();
          act();
        }}>${t(key)}</button>`,
      )}
      <button type="button" onClick=${onClose}>${t("cancel")}</button>
    </div>
  <//>`;
}

/** @param {{visit: import("../visit.js").Visit}} props */
export function Dialogs({ visit }) {
  const asking = visit.asking.value;
  const close = () => {
    // The event of a dialog that was closed comes late: by then another question may be open.
    if (visit.asking.value === asking) visit.asking.value = null;
  };
  switch (asking?.kind) {
    case "leave":
      return html`<${Question} title=${t("leave_title")} lead=${t("leave_lead")} onClose=${close} choices=${[
        { key: "leave_alone", kind: "primary", act: () => visit.leave() },
        { key: "leave_all", kind: "danger", act: () => visit.endForAll() },
      ]} />`;
    case "record":
      return html`<${Question} title=${t("record_title")} lead=${t("record_lead")} onClose=${close} choices=${[
        { key: "record_yes", kind: "primary", act: () => visit.record("start_recording") },
      ]} />`;
    case "stop_recording":
      return html`<${Question} title=${t("record_stop_title")} lead=${t("record_stop_lead")} onClose=${close} choices=${[
        { key: "record_stop", kind: "primary", act: () => visit.record("stop_recording") },
      ]} />`;
    case "remove":
      return html`<${Question} title=${t("remove_title", { name: asking.participant.name })} lead=${t("remove_lead")} onClose=${close} choices=${[
        { key: "remove_yes", kind: "danger", act: () => visit.remove(asking.participant.id) },
      ]} />`;
    case "settings":
      return html`<${Dialog} title=${t("settings")} onClose=${close} class="wide"><${Settings} visit=${visit} onClose=${close} /><//>`;
    default:
      return null;
  }
}
