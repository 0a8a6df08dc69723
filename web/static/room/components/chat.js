// Messages: a log and a field.
import { useState } from "preact/hooks";

import { t, timeOfDay } from "../text.js";
import { html } from "../view.js";
import { Log } from "./log.js";
import { Panel } from "./panel.js";

const LONGEST = 2000;

/** @param {{visit: import("../visit.js").Visit}} props */
export function Chat({ visit }) {
  const [text, setText] = useState("");
  const lines = visit.state.chat.value;
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!text.trim()) return;
    visit.write(text.trim());
    setText("");
  };
  return html`<${Panel} visit=${visit} name="chat">
    <${Log} label=${t("chat")} length=${lines.length}>
      ${lines.length === 0 && html`<p class="quiet">${t("chat_empty")}</p>`}
      ${lines.map(
        (line) => html`<p key=${line.id} class="line">
          <strong>${line.name}</strong> <time class="quiet">${timeOfDay(line.at_s)}</time><br />${line.text}
        </p>`,
      )}
    <//>
    <form class="write" onSubmit=${send}>
      <label class="visually-hidden" for="chat-text">${t("chat_placeholder")}</label>
      <input id="chat-text" data-first placeholder=${t("chat_placeholder")} maxlength=${LONGEST} autocomplete="off" value=${text}
        onInput=${(/** @type {{currentTarget: HTMLInputElement}} */ event) => setText(event.currentTarget.value)} />
      <button class="primary">${t("chat_send")}</button>
    </form>
  <//>`;
}
