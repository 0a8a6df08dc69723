// What a person can do in a visit, and what follows. The state is in state.js, the pictures are in components/.
import { batch, computed, signal } from "@preact/signals";

import { NONE, openOne } from "./devices.js";
import { keep, recall } from "./kept.js";
import { Media } from "./media.js";
import { Recorded } from "./recorded.js";
import { RoomState } from "./state.js";
import { announce, t } from "./text.js";

const NOTICE_MS = 6000;
/** Longer than the server takes to confirm one's own click. */
const SETTLE_MS = 2000;
/** Numbers of requests that are not the media's. */
const FIRST_REQUEST = 1_000_000;

/** @typedef {"" | "people" | "chat" | "captions"} Panel */
/** @typedef {{kind: "leave" | "record" | "stop_recording" | "settings"} | {kind: "remove", participant: Protocol.ParticipantInfo}} Asking */
/** @typedef {import("./devices.js").Choice & {speaker: string}} Chosen */
/** @typedef {{camera?: MediaStreamTrack, microphone?: MediaStreamTrack}} Tracks */

export class Visit {
  /**
   * @param {import("./connection.js").Connection} connection
   * @param {Tracks} tracks what the device check opened
   * @param {Chosen} chosen
   * @param {(reason: string, text?: string) => void} over called once, at the end
   */
  constructor(connection, tracks, chosen, over) {
    this.connection = connection;
    this.over = over;
    this.state = new RoomState();
    this.media = new Media(connection);
    this.recordings = new Recorded(connection.who.link, this.state);
    /** One's own tracks. @type {import("@preact/signals").Signal<Map<Protocol.Source, MediaStreamTrack>>} */
    this.own = signal(new Map());
    this.chosen = signal(chosen);
    this.microphoneOn = signal(Boolean(tracks.microphone));
    this.sharing = computed(() => this.own.value.has("screen"));
    this.cameraOn = computed(() => this.own.value.has("camera"));
    this.hand = computed(() => this.state.self.value?.hand_raised ?? false);
    /** @type {import("@preact/signals").Signal<Panel>} */
    this.panel = signal("");
    this.unread = signal(0);
    /** @type {import("@preact/signals").Signal<Asking | null>} */
    this.asking = signal(null);
    this.notice = signal("");
    this.silenced = signal(false);
    this.talkKey = signal(recall("talk_key", "on") === "on");
    this.captionsShown = signal(recall("captions", "on") === "on");
    this.captionSize = signal(Number(recall("caption_size", "1")) || 1);
    this.requests = FIRST_REQUEST;
    this.commandedAt = -SETTLE_MS;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.noticeTimer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.settleTimer = undefined;
    for (const source of /** @type {const} */ (["microphone", "camera"])) {
      const track = tracks[source];
      if (track) this.hold(source, track);
    }
    this.media.addEventListener("track", (event) => {
      const { publication, track } = /** @type {CustomEvent<import("./media.js").Arrived>} */ (event).detail;
      if (this.state.tracks.value.get(publication) !== track) {
        this.state.tracks.value = new Map(this.state.tracks.value).set(publication, track);
      }
    });
    connection.addEventListener("message", (event) => this.receive(/** @type {CustomEvent} */ (event).detail));
    connection.addEventListener("lost", () => this.lost());
    this.forgetting = setInterval(() => this.state.forget(), 1000);
    // Whoever closes the page has left; waiting half a minute for them would be a ghost at the table.
    addEventListener("pagehide", () => connection.send({ type: "leave" }));
  }

  // What tests and the curious ask of `window.parvis`.
  get me() {
    return this.state.me.value;
  }

  get guestLink() {
    return this.state.guestLink.value;
  }

  get participants() {
    return this.state.participants.value;
  }

  get publications() {
    return this.state.publications.value;
  }

  get tracks() {
    return this.state.tracks.value;
  }

  // --- what the server says ---------------------------------------------------------------------------------------

  /** @param {Protocol.FromServer} message */
  receive(message) {
    const before = this.state.me.value;
    const left = message.type === "participant_left" ? this.state.participants.value.get(message.participant) : undefined;
    this.state.receive(message);
    this.media.receive(message);
    switch (message.type) {
      case "welcome":
        // Back in the same session the media never stopped; as somebody new everything is published anew.
        if (message.participant !== before || this.media.negotiating) this.publish();
        if (message.recording.state === "active") announce(t("recording_on"));
        break;
      case "publish_answer":
      case "subscriber_offer":
        if (this.state.link.value === "media") this.state.link.value = "on";
        break;
      case "participant_joined":
        announce(t("joined", { name: message.participant.name }));
        break;
      case "participant_left":
        if (left) announce(t("left", { name: left.name }));
        break;
      case "publication_added":
      case "publication_changed":
        if (message.publication.participant === this.me) this.settle(message.publication, message.type === "publication_added");
        break;
      case "chat_added":
        this.written(message.line);
        break;
      case "captions_changed":
        if (message.captions.problem) announce(t(`captions_${message.captions.problem}`));
        break;
      case "recording_changed":
        this.recordingChanged(message.recording);
        break;
      case "ended":
        this.end(message.reason);
        break;
      case "error":
        if (message.fatal) this.end("error", message.text);
        else if (message.code === "media_unavailable") this.state.link.value = "media";
        else this.say(message.text);
        break;
      default:
        break;
    }
  }

  lost() {
    if (this.state.link.value === "lost") return;
    if (this.state.link.value !== "entering") announce(t("link_lost"));
    this.state.link.value = "lost";
  }

  publish() {
    this.media.local = new Map(this.own.value);
    void this.media.restart();
  }

  /**
   * Bring one's own microphone and the server to say the same: a host may have muted it, or the media was published anew.
   * @param {Protocol.PublicationInfo} publication @param {boolean} fresh
   */
  settle(publication, fresh) {
    if (publication.source !== "microphone") return;
    const on = this.microphoneOn.value;
    if (publication.muted && on) {
      const wait = this.commandedAt + SETTLE_MS - performance.now();
      if (wait > 0) {
        clearTimeout(this.settleTimer);
        this.settleTimer = setTimeout(() => {
          const now = this.state.publicationOf(this.me, "microphone");
          if (now) this.settle(now, false);
        }, wait);
      } else {
        this.turnMicrophone(false);
        this.say(t("muted_by_host"));
      }
    } else if (fresh && !publication.muted && !on) this.tellMuted("microphone", true);
  }

  /** @param {Protocol.ChatLine} line */
  written(line) {
    if (line.participant === this.me || this.panel.value === "chat") return;
    this.unread.value += 1;
    announce(t("chat_from", { name: line.name, text: line.text }));
  }

  /** @param {Protocol.RecordingInfo} recording */
  recordingChanged(recording) {
    if (recording.state === "active") announce(t("recording_on"));
    else if (recording.state === "failed") this.say(t(`recording_failed_${recording.problem === "disk_full" ? "disk_full" : "other"}`));
    else if (recording.state === "idle") announce(t("recording_off"));
  }

  // --- what the person does ---------------------------------------------------------------------------------------

  /** Show and read out a sentence. @param {string} text */
  say(text) {
    this.notice.value = text;
    announce(text);
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => (this.notice.value = ""), NOTICE_MS);
  }

  /** @param {Protocol.Source} source @param {MediaStreamTrack | null} track */
  hold(source, track) {
    const own = new Map(this.own.value);
    own.get(source)?.stop();
    if (track) {
      own.set(source, track);
      track.onended = () => this.unplugged(source, track);
    } else own.delete(source);
    this.own.value = own;
  }

  /** @param {Protocol.Source} source @param {MediaStreamTrack} track */
  unplugged(source, track) {
    if (this.own.value.get(source) !== track) return;
    if (source === "screen" || source === "screen_audio") void this.stopSharing();
    else {
      if (source === "microphone") this.microphoneOn.value = false;
      this.hold(source, null);
      void this.media.hold(source);
      this.tellMuted(source, true);
      this.say(t(`unplugged_${source}`));
    }
  }

  /** @param {Protocol.Source} source @param {boolean} muted */
  tellMuted(source, muted) {
    const publication = this.state.publicationOf(this.me, source);
    if (!publication) return;
    this.commandedAt = performance.now();
    this.connection.send({ type: "set_muted", publication: publication.id, muted });
  }

  /** @param {boolean} on */
  turnMicrophone(on) {
    const track = this.own.value.get("microphone");
    if (track) track.enabled = on;
    this.microphoneOn.value = on && Boolean(track);
    this.tellMuted("microphone", !on);
  }

  async toggleMicrophone() {
    if (!this.state.may("publish_audio")) return;
    if (this.own.value.has("microphone")) {
      this.turnMicrophone(!this.microphoneOn.value);
      announce(t(this.microphoneOn.value ? "microphone_is_on" : "microphone_is_off"));
    } else await this.choose("microphone", this.chosen.value.microphone);
  }

  async toggleCamera() {
    if (!this.state.may("publish_video")) return;
    if (this.own.value.has("camera")) {
      // Stopped, not blackened: the lamp beside the camera goes out.
      this.hold("camera", null);
      this.tellMuted("camera", true);
      announce(t("camera_is_off"));
      await this.media.hold("camera");
    } else await this.choose("camera", this.chosen.value.camera);
  }

  /**
   * Use another camera or microphone, or one for the first time.
   * @param {import("./devices.js").Device} device @param {string} id
   */
  async choose(device, id) {
    const wanted = id === NONE ? "" : id;
    try {
      const track = await openOne(device, wanted);
      this.chosen.value = { ...this.chosen.value, [device]: track.getSettings().deviceId ?? wanted };
      this.hold(device, track);
      if (device === "microphone") this.microphoneOn.value = true;
      await this.media.set(device, track);
      this.tellMuted(device, false);
      announce(t(`${device}_is_on`));
      return true;
    } catch {
      this.say(t(`cannot_open_${device}`));
      return false;
    }
  }

  async toggleShare() {
    if (this.sharing.value) {
      await this.stopSharing();
      return;
    }
    /** @type {MediaStream} */
    let stream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: true });
    } catch {
      return; // the person changed their mind
    }
    const [screen] = stream.getVideoTracks();
    const [sound] = stream.getAudioTracks();
    this.hold("screen", screen);
    await this.media.set("screen", screen);
    if (sound) {
      this.hold("screen_audio", sound);
      await this.media.set("screen_audio", sound);
    }
    announce(t("sharing_is_on"));
  }

  async stopSharing() {
    for (const source of /** @type {const} */ (["screen", "screen_audio"])) {
      if (!this.own.value.has(source)) continue;
      this.hold(source, null);
      await this.media.set(source, null);
    }
    announce(t("sharing_is_off"));
  }

  toggleHand() {
    const raised = !this.hand.value;
    this.connection.send({ type: "raise_hand", raised });
    announce(t(raised ? "hand_is_up" : "hand_is_down"));
  }

  /** Open a panel, or close it when it is open. @param {Panel} panel */
  show(panel) {
    batch(() => {
      this.panel.value = this.panel.value === panel ? "" : panel;
      if (this.panel.value === "chat") this.unread.value = 0;
    });
  }

  /** @param {string} text */
  write(text) {
    this.connection.send({ type: "chat", text });
  }

  async copyLink() {
    const link = new URL(this.guestLink, location.href).href;
    try {
      await navigator.clipboard.writeText(link);
      this.say(t("copied"));
      return true;
    } catch {
      this.say(t("copy_failed"));
      return false;
    }
  }

  /** @param {"start_recording" | "stop_recording"} type */
  record(type) {
    this.connection.send({ type, id: ++this.requests });
  }

  /** @param {Protocol.PublicationInfo} publication */
  mute(publication) {
    this.connection.send({ type: "set_muted", publication: publication.id, muted: true });
  }

  /** @param {string} participant */
  lowerHand(participant) {
    this.connection.send({ type: "raise_hand", raised: false, participant });
  }

  /** @param {string} participant */
  remove(participant) {
    this.connection.send({ type: "remove_participant", participant });
  }

  /** @param {boolean} on */
  setTalkKey(on) {
    this.talkKey.value = on;
    keep("talk_key", on ? "on" : "off");
  }

  /** @param {boolean} on */
  showCaptions(on) {
    this.captionsShown.value = on;
    keep("captions", on ? "on" : "off");
  }

  /** @param {number} size */
  sizeCaptions(size) {
    this.captionSize.value = size;
    keep("caption_size", String(size));
  }

  /** @param {string} id */
  setSpeaker(id) {
    this.chosen.value = { ...this.chosen.value, speaker: id };
    keep("speaker", id);
  }

  leave() {
    this.connection.close();
    this.end("left");
  }

  endForAll() {
    this.connection.send({ type: "end_visit" });
  }

  /** @param {string} reason @param {string} [text] what the server said */
  end(reason, text) {
    clearInterval(this.forgetting);
    this.asking.value = null;
    this.media.close();
    for (const track of this.own.value.values()) track.stop();
    this.over(reason, text);
  }
}
