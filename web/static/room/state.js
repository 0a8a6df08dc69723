// The room as the server tells it, as signals. No DOM, no network: messages in, state out.
import { batch, computed, signal } from "@preact/signals";

const LINES = 3;
const STAY_MS = 8000;

/** @template K, V @param {Map<K, V>} map @param {K} key @param {V} value */
const withEntry = (map, key, value) => new Map(map).set(key, value);

/** @template K, V @param {Map<K, V>} map @param {K} key */
function withoutEntry(map, key) {
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}

/** @template V @param {Set<V>} set @param {V} value @param {boolean} wanted */
function withMember(set, value, wanted) {
  const members = new Set(set);
  if (wanted) members.add(value);
  else members.delete(value);
  return members;
}

/** @typedef {"entering" | "on" | "lost" | "media"} Link how this page stands with the server */

export class RoomState {
  me = signal("");
  title = signal("");
  visit = signal("");
  startedAt = signal(0);
  /** @type {import("@preact/signals").Signal<Set<string>>} */
  rights = signal(new Set());
  guestLink = signal("");
  /** @type {import("@preact/signals").Signal<Map<string, Protocol.ParticipantInfo>>} */
  participants = signal(new Map());
  /** @type {import("@preact/signals").Signal<Map<string, Protocol.PublicationInfo>>} */
  publications = signal(new Map());
  /** What is received, by publication. @type {import("@preact/signals").Signal<Map<string, MediaStreamTrack>>} */
  tracks = signal(new Map());
  /** @type {import("@preact/signals").Signal<string[]>} */
  speakers = signal([]);
  /** Publications whose picture has no room on this connection. @type {import("@preact/signals").Signal<Set<string>>} */
  starved = signal(new Set());
  /** @type {import("@preact/signals").Signal<Protocol.ChatLine[]>} */
  chat = signal([]);
  /** Captions that may still change or were just said. @type {import("@preact/signals").Signal<Map<string, {caption: Protocol.CaptionLine, at: number}>>} */
  lines = signal(new Map());
  /** @type {import("@preact/signals").Signal<Protocol.CaptionLine[]>} */
  transcript = signal([]);
  /** @type {import("@preact/signals").Signal<Protocol.CaptionsInfo>} */
  captions = signal({ available: false, problem: null });
  /** @type {import("@preact/signals").Signal<Protocol.RecordingInfo>} */
  recording = signal({ state: "idle", id: null, started_at_s: null, problem: null });
  /** The recording that just ended. */
  recorded = signal("");
  /** @type {import("@preact/signals").Signal<Link>} */
  link = signal("entering");

  self = computed(() => this.participants.value.get(this.me.value));
  others = computed(() => [...this.participants.value.values()].filter((person) => person.id !== this.me.value));

  /** @param {string} right */
  may(right) {
    return this.rights.value.has(right);
  }

  /** @param {string} participant @param {Protocol.Source} source */
  publicationOf(participant, source) {
    for (const each of this.publications.value.values()) {
      if (each.participant === participant && each.source === source) return each;
    }
    return undefined;
  }

  /** Take one message. @param {Protocol.FromServer} message */
  receive(message) {
    batch(() => this.take(message));
  }

  /** @param {Protocol.FromServer} message */
  take(message) {
    switch (message.type) {
      case "welcome":
        this.welcome(message);
        break;
      case "resumed":
        this.link.value = "on";
        break;
      case "participant_joined":
      case "participant_changed":
        this.participants.value = withEntry(this.participants.value, message.participant.id, message.participant);
        break;
      case "participant_left":
        this.participants.value = withoutEntry(this.participants.value, message.participant);
        break;
      case "publication_added":
      case "publication_changed":
        this.publications.value = withEntry(this.publications.value, message.publication.id, message.publication);
        break;
      case "publication_removed":
        this.publications.value = withoutEntry(this.publications.value, message.publication);
        this.tracks.value = withoutEntry(this.tracks.value, message.publication);
        break;
      case "media_lost":
        this.publications.value = new Map();
        this.tracks.value = new Map();
        this.starved.value = new Set();
        this.speakers.value = [];
        this.link.value = "media";
        break;
      case "chat_added":
        this.chat.value = [...this.chat.value, message.line];
        break;
      case "caption_added":
        this.caption(message.caption);
        break;
      case "captions_changed":
        this.captions.value = message.captions;
        break;
      case "recording_changed":
        this.recordingChanged(message.recording);
        break;
      case "subscription_changed":
        this.starved.value = withMember(this.starved.value, message.publication, message.paused);
        break;
      case "speakers":
        this.speakers.value = message.publications;
        break;
      default:
        break;
    }
  }

  /** @param {Protocol.Welcome} message */
  welcome(message) {
    if (message.participant !== this.me.value) this.tracks.value = new Map();
    this.me.value = message.participant;
    this.title.value = message.title;
    this.visit.value = message.visit;
    this.startedAt.value = message.visit_started_at_s;
    this.rights.value = new Set(message.rights);
    this.guestLink.value = message.guest_link ?? "";
    this.participants.value = new Map(message.participants.map((each) => [each.id, each]));
    this.publications.value = new Map(message.publications.map((each) => [each.id, each]));
    this.chat.value = message.chat;
    this.transcript.value = message.captions;
    this.captions.value = message.captions_state;
    this.recording.value = message.recording;
    this.link.value = "on";
  }

  /** @param {Protocol.CaptionLine} caption */
  caption(caption) {
    const known = this.lines.value.get(caption.segment);
    if (known && known.caption.revision >= caption.revision) return;
    this.lines.value = caption.text
      ? withEntry(this.lines.value, caption.segment, { caption, at: Date.now() })
      : withoutEntry(this.lines.value, caption.segment);
    if (!caption.final || !caption.text) return;
    // Two people at once: the transcript stands in the order in which they began.
    const before = this.transcript.value;
    let place = before.length;
    while (place > 0 && before[place - 1].start_s > caption.start_s) place -= 1;
    this.transcript.value = [...before.slice(0, place), caption, ...before.slice(place)];
  }

  /** Let go of captions that stood long enough. */
  forget() {
    const now = Date.now();
    const staying = [...this.lines.value].filter(([, line]) => !line.caption.final || now - line.at < STAY_MS);
    if (staying.length < this.lines.value.size) this.lines.value = new Map(staying);
  }

  /** The lines under the picture. */
  shown = computed(() => [...this.lines.value.values()].slice(-LINES).map((line) => line.caption));

  /** @param {Protocol.RecordingInfo} recording */
  recordingChanged(recording) {
    const before = this.recording.value;
    const ran = before.state === "active" || before.state === "stopping";
    const id = recording.id ?? before.id;
    if (ran && (recording.state === "idle" || recording.state === "failed") && id) this.recorded.value = id;
    if (recording.state === "active") this.recorded.value = "";
    this.recording.value = recording;
  }
}
