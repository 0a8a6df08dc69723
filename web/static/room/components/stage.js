// The stage: a tile for each person and each shared screen, placed by layout.js.
import { useEffect, useRef, useState } from "preact/hooks";

import { layout } from "../layout.js";
import { t } from "../text.js";
import { html } from "../view.js";
import { Bars, Icon } from "./icons.js";
import { Picture } from "./track.js";

const WEAK = 2;
/** Where one's own name does not fit, "You" says as much. */
const NARROW = 240;

/** @param {string} name */
function initials(name) {
  return name
    .split(/[\s,]+/)
    .map((word) => word[0] ?? "")
    .slice(0, 2)
    .join("")
    .toUpperCase();
}

/**
 * What others see of a person, in words.
 * @param {import("../visit.js").Visit} visit @param {Protocol.ParticipantInfo} person
 */
export function statesOf(visit, person) {
  const { state } = visit;
  const self = person.id === state.me.value;
  const microphone = state.publicationOf(person.id, "microphone");
  const muted = self ? !visit.microphoneOn.value : microphone?.muted;
  return {
    self,
    muted: Boolean(muted),
    absent: !microphone && !self,
    speaks: Boolean(microphone && !muted && state.speakers.value.includes(microphone.id)),
    hand: person.hand_raised,
    away: !person.connected,
    weak: person.quality !== null && person.quality <= WEAK ? person.quality : 0,
  };
}

/**
 * @param {{visit: import("../visit.js").Visit, person: Protocol.ParticipantInfo, box: import("../layout.js").Box | undefined, screen?: Protocol.PublicationInfo}} props
 */
function Tile({ visit, person, box, screen }) {
  const { state } = visit;
  const is = statesOf(visit, person);
  const camera = screen ?? state.publicationOf(person.id, "camera");
  /** @type {MediaStreamTrack | null} */
  let track = null;
  if (is.self) track = visit.own.value.get(screen ? "screen" : "camera") ?? null;
  else if (camera && !camera.muted) track = state.tracks.value.get(camera.id) ?? null;
  const starved = Boolean(!is.self && camera && !camera.muted && state.starved.value.has(camera.id));
  if (starved) track = null;
  const kind = screen ? "screen" : `${is.self ? "self" : ""} ${is.speaks ? "speaks" : ""}`;
  const size = box ?? { x: 0, y: 0, width: 0, height: 0 };
  const style = {
    transform: `translate(${size.x}px, ${size.y}px)`,
    width: `${size.width}px`,
    height: `${size.height}px`,
  };
  return html`<li class="tile ${kind}" style=${style}>
    ${!screen && html`<span class="initials" aria-hidden="true">${initials(person.name)}</span>`}
    <${Picture} track=${track} mirrored=${is.self && !screen} />
    ${starved && html`<p class="starved">${t("picture_paused")}</p>`}
    <span class="label">
      ${screen
        ? html`<span class="name">${t("screen_of", { name: person.name })}</span>`
        : html`${is.muted && html`<${Icon} name="microphone_off" /><span class="visually-hidden">${t("muted")}</span>`}
            <span class="name">${is.self && size.width < NARROW ? t("you_alone") : `${person.name}${is.self ? ` (${t("you")})` : ""}`}</span>
            ${is.speaks && html`<span class="visually-hidden">${t("speaking")}</span>`}
            ${is.hand && html`<span class="state"><${Icon} name="hand" />${t("hand_raised")}</span>`}
            ${is.away && html`<span class="state">${t("away")}</span>`}
            ${!is.away && is.weak > 0 && html`<span class="state"><${Bars} quality=${is.weak} />${t(`quality_${is.weak}_short`)}</span>`}`}
    </span>
  </li>`;
}

/** @param {{visit: import("../visit.js").Visit}} props */
export function Stage({ visit }) {
  const { state } = visit;
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (!list.current) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry.contentRect;
      setSize({ width, height });
    });
    observer.observe(list.current);
    return () => observer.disconnect();
  }, []);
  const people = [...state.participants.value.values()];
  const screens = [...state.publications.value.values()].filter(
    (each) => each.source === "screen" && state.participants.value.has(each.participant),
  );
  const items = [
    ...screens.map((screen) => ({ id: screen.id, screen: true, self: false })),
    ...people.map((person) => ({ id: person.id, screen: false, self: person.id === state.me.value })),
  ];
  const boxes = layout(items, size.width, size.height);
  return html`<ul class="tiles" ref=${list} aria-label=${t("people")}>
    ${screens.map(
      (screen) =>
        html`<${Tile} key=${screen.id} visit=${visit} screen=${screen} person=${state.participants.value.get(screen.participant)} box=${boxes.get(screen.id)} />`,
    )}
    ${people.map((person) => html`<${Tile} key=${person.id} visit=${visit} person=${person} box=${boxes.get(person.id)} />`)}
  </ul>`;
}
