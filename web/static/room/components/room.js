// The whole live room: bar, stage, captions, panel, controls, questions.
import { useEffect, useState } from "preact/hooks";

import { listen } from "../keys.js";
import { clock, t, timeOfDay } from "../text.js";
import { html } from "../view.js";
import { CaptionLines, Captions } from "./captions.js";
import { Chat } from "./chat.js";
import { Controls, Leave } from "./controls.js";
import { Dialogs } from "./dialogs.js";
import { Bars, Icon } from "./icons.js";
import { CopyLink, People } from "./people.js";
import { Stage } from "./stage.js";
import { Voice } from "./track.js";

/** @typedef {{visit: import("../visit.js").Visit}} Props */

/** How long the visit has lasted. @param {{since: number}} props Unix seconds */
function Lasted({ since }) {
  const [now, setNow] = useState(Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, []);
  return html`<span class="lasted" role="timer" aria-label=${t("lasted")}>${clock(now - since)}</span>`;
}

/** @param {Props} props */
function RecordingMark({ visit }) {
  const { state, started_at_s: since } = visit.state.recording.value;
  if (state !== "active" && state !== "stopping" && state !== "starting") return null;
  let words = t("recording_on");
  if (state !== "active") words = t(`recording_${state}`);
  else if (since !== null) words = t("recording_since", { time: timeOfDay(since) });
  return html`<p class="recording-mark"><span class="dot" aria-hidden="true"></span>${words}</p>`;
}

/** @param {Props} props */
function Bar({ visit }) {
  const { state } = visit;
  const quality = state.self.value?.quality ?? null;
  return html`<header class="bar">
    <p class="brand">Parvis</p>
    <h1 class="title">${state.title.value || t("room_title")}</h1>
    ${state.startedAt.value > 0 && html`<${Lasted} since=${state.startedAt.value} />`}
    <${RecordingMark} visit=${visit} />
    <span class="space"></span>
    ${quality !== null && html`<span class="mine"><${Bars} quality=${quality} /><span>${t("your_quality", { words: t(`quality_${quality}`) })}</span></span>`}
    <${Leave} visit=${visit} />
  </header>`;
}

/** What a person must know now, above the pictures. @param {Props & {blocked: HTMLAudioElement[], onSound: () => void}} props */
function Banners({ visit, blocked, onSound }) {
  const { state } = visit;
  const link = state.link.value;
  const alone = link === "on" && state.others.value.length === 0 && !state.recorded.value;
  return html`<div class="banners">
    ${link !== "on" && html`<p class="banner ${link === "entering" ? "" : "warn"}"><span class="wait" aria-hidden="true"></span>${t(`link_${link}`)}</p>`}
    ${visit.notice.value && html`<p class="banner">${visit.notice.value}</p>`}
    ${blocked.length > 0 && html`<p class="banner warn">${t("sound_blocked")} <button type="button" class="primary" onClick=${onSound}>${t("sound_start")}</button></p>`}
    ${state.recorded.value && state.may("view_recording") &&
    html`<p class="banner">
      ${t("recorded")}
      <a class="button" target="_blank" rel="noopener" href=${visit.recordings.address(state.recorded.value)}>${t("recording_view")}</a>
      <button type="button" onClick=${() => (state.recorded.value = "")}>${t("close")}</button>
    </p>`}
    ${alone && (state.guestLink.value
      ? html`<p class="banner">${t("alone")} <${CopyLink} visit=${visit} primary /></p>`
      : html`<p class="banner">${t("waiting_others")}</p>`)}
  </div>`;
}

/** @param {Props} props */
export function Room({ visit }) {
  const { state } = visit;
  const [blocked, setBlocked] = useState(/** @type {HTMLAudioElement[]} */ ([]));
  useEffect(() => listen(visit), []);
  const panel = visit.panel.value;
  const heard = [...state.publications.value.values()].filter((each) => each.kind === "audio" && each.participant !== state.me.value);
  const sound = () => {
    for (const player of blocked) void player.play();
    setBlocked([]);
  };
  return html`<div class="room">
    <${Bar} visit=${visit} />
    <div class="middle">
      <div class="stage">
        <${Banners} visit=${visit} blocked=${blocked} onSound=${sound} />
        <${Stage} visit=${visit} />
        <${CaptionLines} visit=${visit} />
      </div>
      ${panel === "people" && html`<${People} visit=${visit} />`}
      ${panel === "chat" && html`<${Chat} visit=${visit} />`}
      ${panel === "captions" && html`<${Captions} visit=${visit} />`}
    </div>
    <${Controls} visit=${visit} />
    <${Dialogs} visit=${visit} />
    ${heard.map(
      (each) => html`<${Voice} key=${each.id} track=${state.tracks.value.get(each.id) ?? null} speaker=${visit.chosen.value.speaker}
        onBlocked=${(/** @type {HTMLAudioElement} */ player) => setBlocked((before) => [...before, player])} />`,
    )}
  </div>`;
}

/** The visit is over for this person, or cannot begin. @param {{title: string, lead: string, again: boolean, wrong?: boolean}} props */
export function Over({ title, lead, again, wrong = false }) {
  return html`<section class="card over">
    <${Icon} name=${wrong ? "warning" : "check"} />
    <h1 tabindex="-1">${title}</h1>
    <p class="lead">${lead}</p>
    <div class="actions">
      ${again && html`<button type="button" class="primary" onClick=${() => location.reload()}>${t("return")}</button>`}
      <a class=${again ? "button plain" : "button"} href="/">${t("error_home")}</a>
    </div>
  </section>`;
}
