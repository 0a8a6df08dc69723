// The visit itself: faces, controls, messages, people.
import { Captions } from "./captions.js";
import { element } from "./dom.js";
import { Media } from "./media.js";
import { announce, t } from "./text.js";

export class Visit {
  /** @param {import("./connection.js").Connection} connection @param {MediaStream} stream @param {(reason: string) => void} over */
  constructor(connection, stream, over) {
    this.connection = connection;
    this.over = over;
    this.media = new Media(connection);
    /** @type {Map<string, any>} */ this.participants = new Map();
    /** @type {Map<string, any>} */ this.publications = new Map();
    /** @type {Map<string, HTMLElement>} */ this.tiles = new Map();
    /** @type {Map<string, MediaStreamTrack>} */ this.tracks = new Map();
    /** @type {Map<string, HTMLAudioElement>} */ this.audio = new Map();
    /** @type {string[]} */ this.speakers = [];
    this.me = "";
    this.guestLink = "";
    this.started = false;
    this.captions = new Captions();
    this.stream = stream;
    this.build();
    this.media.addEventListener("track", (event) => {
      const { publication, track } = /** @type {CustomEvent} */ (event).detail;
      this.tracks.set(publication, track);
      this.render();
    });
    connection.addEventListener("message", (event) => this.receive(/** @type {CustomEvent} */ (event).detail));
    connection.addEventListener("lost", () => this.say(t("reconnecting")));
  }

  build() {
    const button = (/** @type {string} */ key, /** @type {() => void} */ action) => element("button", { type: "button", onclick: action }, t(key));
    this.grid = element("ul", { class: "grid" });
    this.banner = element("p", { class: "banner", role: "status" }, t("entering"));
    this.muteButton = button("mute", () => this.toggleMicrophone());
    this.cameraButton = button("camera_off", () => this.toggleCamera());
    this.shareButton = button("share", () => this.toggleShare());
    this.handButton = button("hand", () => this.toggleHand());
    this.chatButton = button("chat", () => this.show(this.chatPanel, this.chatButton));
    this.peopleButton = button("people", () => this.show(this.peoplePanel, this.peopleButton));
    this.linkButton = button("copy_link", () => this.copyLink());
    this.linkButton.hidden = true;
    const leave = element("button", { type: "button", class: "danger", onclick: () => this.leave() }, t("leave"));
    this.log = element("ol", { class: "log", role: "log", "aria-label": t("chat") });
    const input = element("input", { "aria-label": t("chat_placeholder"), placeholder: t("chat_placeholder"), maxlength: 2000 });
    const send = element(
      "form",
      {
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          const text = input.value.trim();
          if (text) this.connection.send({ type: "chat", text });
          input.value = "";
        },
      },
      input,
      element("button", { class: "primary" }, t("chat_send")),
    );
    this.chatPanel = this.panel("chat", this.log, send);
    this.list = element("ul", {});
    this.peoplePanel = this.panel("people", this.list);
    this.captionsPanel = this.panel("captions", element("p", { class: "notice" }, t("captions_notice")), this.captions.log);
    this.captionsButton = button("captions", () => this.show(this.captionsPanel, this.captionsButton));
    this.controls = element(
      "div",
      { class: "controls", role: "toolbar", "aria-label": t("room_title") },
      this.linkButton, this.peopleButton, this.chatButton, this.captionsButton, this.handButton, this.shareButton, this.cameraButton, this.muteButton, leave,
    );
    const root = /** @type {HTMLElement} */ (document.getElementById("room"));
    root.replaceChildren(element("div", { class: "visit" }, element("div", { class: "stage" }, this.banner, this.grid, this.captions.overlay), this.peoplePanel, this.chatPanel, this.captionsPanel), this.controls);
    addEventListener("resize", () => this.render());
    document.addEventListener("keydown", (event) => {
      if (!event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === "d") this.toggleMicrophone();
      else if (event.key === "e") this.toggleCamera();
      else return;
      event.preventDefault();
    });
  }

  /** @param {string} key @param {...Node} children */
  panel(key, ...children) {
    const close = element("button", { type: "button", onclick: () => (panel.hidden = true) }, t("close"));
    const panel = element("section", { class: "panel", hidden: true, "aria-label": t(key) }, element("h2", {}, t(key), close), ...children);
    return panel;
  }

  /** @param {HTMLElement} panel @param {HTMLElement} opener */
  show(panel, opener) {
    const open = panel.hidden;
    this.chatPanel.hidden = this.peoplePanel.hidden = this.captionsPanel.hidden = true;
    panel.hidden = !open;
    if (open) /** @type {HTMLElement | null} */ (panel.querySelector("input, button"))?.focus();
    else opener.focus();
  }

  /** @param {string} text */
  say(text) {
    this.banner.textContent = text;
    this.banner.hidden = !text;
  }

  /** @param {Record<string, any>} message */
  receive(message) {
    this.media.receive(message);
    switch (message.type) {
      case "welcome":
        this.me = message.participant;
        this.guestLink = message.guest_link ?? "";
        this.linkButton.hidden = !this.guestLink;
        this.participants = new Map(message.participants.map((/** @type {any} */ each) => [each.id, each]));
        this.publications = new Map(message.publications.map((/** @type {any} */ each) => [each.id, each]));
        this.log.replaceChildren();
        message.chat.forEach((/** @type {any} */ line) => this.addLine(line));
        message.captions.forEach((/** @type {any} */ caption) => this.captions.add(caption));
        this.start();
        break;
      case "participant_joined":
        announce(`${message.participant.name} ${t("joined")}`);
        this.participants.set(message.participant.id, message.participant);
        break;
      case "participant_changed":
        this.participants.set(message.participant.id, message.participant);
        break;
      case "participant_left":
        announce(`${this.participants.get(message.participant)?.name ?? ""} ${t("left")}`);
        this.participants.delete(message.participant);
        break;
      case "publication_added":
      case "publication_changed":
        this.publications.set(message.publication.id, message.publication);
        break;
      case "publication_removed":
        this.publications.delete(message.publication);
        this.tracks.delete(message.publication);
        break;
      case "media_lost":
        this.tracks.clear();
        this.publications.clear();
        break;
      case "chat_added":
        this.addLine(message.line);
        break;
      case "caption_added":
        this.captions.add(message.caption);
        return;
      case "captions_changed":
        if (message.captions.problem) announce(t("captions_unavailable"));
        return;
      case "speakers":
        this.speakers = message.publications;
        break;
      case "ended":
        this.end(message.reason);
        return;
      case "error":
        if (message.fatal) this.end(message.text);
        else this.say(message.text);
        return;
      default:
        break;
    }
    if (message.type !== "pong") this.render();
  }

  start() {
    if (this.started) {
      this.media.restart();
      return;
    }
    this.started = true;
    const [microphone] = this.stream.getAudioTracks();
    const [camera] = this.stream.getVideoTracks();
    if (microphone) this.media.local.set("microphone", microphone);
    if (camera) this.media.local.set("camera", camera);
    this.muteButton.disabled = !microphone;
    this.cameraButton.disabled = !camera;
    this.media.restart();
  }

  /** @param {string} source */
  mine(source) {
    return [...this.publications.values()].find((each) => each.participant === this.me && each.source === source);
  }

  toggleMicrophone() {
    this.toggle("microphone", this.stream.getAudioTracks()[0], this.muteButton, "mute", "unmute");
    if (!this.muteButton.disabled) announce(this.muteButton.textContent ?? "");
  }

  toggleCamera() {
    this.toggle("camera", this.stream.getVideoTracks()[0], this.cameraButton, "camera_off", "camera_on");
  }

  /**
   * Turn one's own track on or off, here and at the server.
   * @param {string} source @param {MediaStreamTrack | undefined} track @param {HTMLButtonElement} button
   * @param {string} off what the button says while the track is on @param {string} on what it says while it is off
   */
  toggle(source, track, button, off, on) {
    if (!track) return;
    track.enabled = !track.enabled;
    const publication = this.mine(source);
    if (publication) this.connection.send({ type: "set_muted", publication: publication.id, muted: !track.enabled });
    button.textContent = t(track.enabled ? off : on);
    button.setAttribute("aria-pressed", String(!track.enabled));
  }

  async toggleShare() {
    const shared = this.media.local.get("screen");
    if (shared) {
      shared.stop();
      await this.media.set("screen", null);
    } else {
      try {
        const [track] = (await navigator.mediaDevices.getDisplayMedia({ video: true })).getVideoTracks();
        track.onended = () => this.media.local.get("screen") === track && this.toggleShare();
        await this.media.set("screen", track);
      } catch {
        return; // the person changed their mind
      }
    }
    this.shareButton.textContent = t(this.media.local.has("screen") ? "share_stop" : "share");
  }

  toggleHand() {
    const raised = !this.participants.get(this.me)?.hand_raised;
    this.connection.send({ type: "raise_hand", raised });
    this.handButton.textContent = t(raised ? "hand_lower" : "hand");
    this.handButton.setAttribute("aria-pressed", String(raised));
  }

  async copyLink() {
    await navigator.clipboard.writeText(new URL(this.guestLink, location.href).href);
    this.linkButton.textContent = t("copied");
    announce(t("copied"));
    setTimeout(() => (this.linkButton.textContent = t("copy_link")), 3000);
  }

  leave() {
    this.connection.close();
    this.end("left");
  }

  /** @param {string} reason */
  end(reason) {
    this.media.close();
    this.over(reason);
  }

  /** @param {any} line */
  addLine(line) {
    const at = new Date(line.at_s * 1000).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    this.log.append(element("li", {}, element("strong", {}, line.name), ` ${at}`, element("br"), line.text));
    this.log.scrollTop = this.log.scrollHeight;
  }

  render() {
    const shown = new Set();
    for (const person of this.participants.values()) {
      const publications = [...this.publications.values()].filter((each) => each.participant === person.id);
      const camera = publications.find((each) => each.source === "camera");
      const microphone = publications.find((each) => each.source === "microphone");
      shown.add(person.id);
      const speaks = Boolean(microphone && this.speakers.includes(microphone.id));
      this.tile(person.id, this.label(person, microphone, speaks), camera && !camera.muted ? this.trackOf(camera) : null, person, speaks);
      for (const screen of publications.filter((each) => each.source === "screen")) {
        shown.add(screen.id);
        this.tile(screen.id, `${t("screen_of")} ${person.name}`, this.trackOf(screen), person, false, true);
      }
      if (microphone && person.id !== this.me) this.play(microphone.id);
    }
    for (const [id, tile] of this.tiles) {
      if (!shown.has(id)) {
        tile.remove();
        this.tiles.delete(id);
      }
    }
    for (const [id, player] of this.audio) {
      if (!this.publications.has(id)) {
        player.remove();
        this.audio.delete(id);
      }
    }
    const columns = innerWidth < 720 ? Math.ceil(shown.size / 4) : Math.ceil(Math.sqrt(shown.size));
    this.grid.style.setProperty("--columns", String(Math.max(1, columns)));
    // The invitation is what to do while alone; later it stands with the people.
    const place = this.participants.size > 1 ? this.peoplePanel : this.controls;
    if (this.linkButton.parentElement !== place) place.prepend(this.linkButton);
    this.say(this.participants.size > 1 ? "" : t(this.guestLink ? "alone" : "waiting_others"));
    this.list.replaceChildren(
      ...[...this.participants.values()].map((person) => {
        const microphone = [...this.publications.values()].find((each) => each.participant === person.id && each.source === "microphone");
        const quality = person.quality ? `${t("quality")} : ${t(`quality_${person.quality}`)}` : "";
        return element("li", {}, this.label(person, microphone, false), element("div", { class: "quiet" }, quality));
      }),
    );
  }

  /** @param {any} person @param {any} microphone @param {boolean} speaks */
  label(person, microphone, speaks) {
    const states = [
      person.id === this.me ? t("you") : "",
      microphone?.muted ? t("muted") : "",
      person.hand_raised ? `✋ ${t("hand_raised")}` : "",
      person.connected ? "" : t("away"),
      speaks ? t("speaking") : "",
    ].filter(Boolean);
    return states.length ? `${person.name} (${states.join(", ")})` : person.name;
  }

  /** @param {any} publication */
  trackOf(publication) {
    return publication.participant === this.me ? (this.media.local.get(publication.source) ?? null) : (this.tracks.get(publication.id) ?? null);
  }

  /** @param {string} publication */
  play(publication) {
    const track = this.tracks.get(publication);
    if (!track) return;
    let player = this.audio.get(publication);
    if (!player) {
      player = element("audio", { autoplay: true });
      this.audio.set(publication, player);
      document.body.append(player);
    }
    const playing = /** @type {MediaStream | null} */ (player.srcObject);
    if (playing?.getTracks()[0] !== track) player.srcObject = new MediaStream([track]);
  }

  /** @param {string} id @param {string} label @param {MediaStreamTrack | null} track @param {any} person @param {boolean} speaks */
  tile(id, label, track, person, speaks, screen = false) {
    let tile = this.tiles.get(id);
    if (!tile) {
      const video = element("video", { autoplay: true, playsinline: true });
      video.muted = true;
      tile = element("li", { class: "tile" }, element("span", { class: "initials", "aria-hidden": "true" }), video, element("span", { class: "label" }));
      this.tiles.set(id, tile);
      this.grid.append(tile);
    }
    tile.classList.toggle("screen", screen);
    tile.classList.toggle("self", person.id === this.me && !screen);
    tile.classList.toggle("speaks", speaks);
    const [initials, video, caption] = /** @type {[HTMLElement, HTMLVideoElement, HTMLElement]} */ (/** @type {unknown} */ ([...tile.children]));
    initials.textContent = person.name.split(/[\s,]+/).map((/** @type {string} */ word) => word[0] ?? "").slice(0, 2).join("").toUpperCase();
    if (caption.textContent !== label) caption.textContent = label;
    const playing = /** @type {MediaStream | null} */ (video.srcObject);
    if (playing?.getTracks()[0] !== track) video.srcObject = track ? new MediaStream([track]) : null;
    video.hidden = !track;
  }
}
