// The two peer connections of a participant: one publishes, one receives. No DOM.

// Lowest first: the server takes the order of the RIDs as the order of quality.
const CAMERA_LAYERS = [
  { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: "f", scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
];
const PATIENCE_MS = 5000;
const AGAIN_MS = 1000;

/** @typedef {{publication: string, track: MediaStreamTrack}} Arrived detail of the event "track" */

export class Media extends EventTarget {
  /** @param {import("./connection.js").Connection} connection */
  constructor(connection) {
    super();
    this.connection = connection;
    /** What is published, by source. @type {Map<Protocol.Source, MediaStreamTrack>} */
    this.local = new Map();
    /** @type {RTCPeerConnection | null} */
    this.publisher = null;
    /** @type {RTCPeerConnection | null} */
    this.subscriber = null;
    this.subscriberPeer = "";
    this.generation = 0;
    this.requests = 0;
    this.negotiating = false;
    this.again = false;
    /** @type {Map<string, string>} mid to publication */
    this.mids = new Map();
    /** @type {Promise<unknown>} */
    this.queue = Promise.resolve();
    /** @type {Map<RTCRtpTransceiver, Protocol.Source>} */
    this.sources = new Map();
  }

  /** Publish a track, or replace or end (null) the one of this source. @param {Protocol.Source} source @param {MediaStreamTrack | null} track */
  async set(source, track) {
    if (track) this.local.set(source, track);
    else this.local.delete(source);
    const publisher = this.publisher;
    if (!publisher) return this.local.size ? this.restart() : undefined;
    const transceiver = this.transceiverOf(source);
    if (transceiver && track && transceiver.direction === "sendonly") {
      await transceiver.sender.replaceTrack(track);
      return undefined;
    }
    if (transceiver) {
      await transceiver.sender.replaceTrack(track);
      transceiver.direction = track ? "sendonly" : "inactive";
    } else if (track) this.add(source, track);
    return this.negotiate();
  }

  /** Send nothing of a source for now, without giving its place away. @param {Protocol.Source} source */
  async hold(source) {
    this.local.delete(source);
    await this.transceiverOf(source)?.sender.replaceTrack(null);
  }

  /** @param {Protocol.Source} source */
  transceiverOf(source) {
    return this.publisher?.getTransceivers().find((each) => this.sources.get(each) === source);
  }

  /** @param {Protocol.Source} source @param {MediaStreamTrack} track */
  add(source, track) {
    const publisher = /** @type {RTCPeerConnection} */ (this.publisher);
    /** @type {RTCRtpTransceiverInit} */
    const init = { direction: "sendonly" };
    if (source === "camera") init.sendEncodings = CAMERA_LAYERS;
    if (source === "screen") {
      // Letters should stay sharp: fewer pictures rather than blurred ones.
      track.contentHint = "detail";
      init.sendEncodings = [{ maxBitrate: 2_500_000 }];
    }
    this.sources.set(publisher.addTransceiver(track, init), source);
  }

  /** Publish everything anew over a new peer connection. */
  async restart() {
    this.publisher?.close();
    this.publisher = null;
    if (!this.local.size) return;
    this.generation += 1;
    this.negotiating = false;
    const publisher = (this.publisher = new RTCPeerConnection({ bundlePolicy: "max-bundle" }));
    this.sources = new Map();
    this.watch(publisher, () => publisher === this.publisher && this.restart());
    for (const [source, track] of this.local) this.add(source, track);
    await this.negotiate();
  }

  async negotiate() {
    if (this.negotiating) {
      this.again = true;
      return;
    }
    const publisher = this.publisher;
    if (!publisher) return;
    this.negotiating = true;
    this.again = false;
    await publisher.setLocalDescription();
    const tracks = publisher
      .getTransceivers()
      .filter((each) => each.direction === "sendonly" && each.mid !== null)
      .map((each) => ({ mid: each.mid, source: this.sources.get(each) }));
    const sdp = publisher.localDescription?.sdp;
    this.connection.send({ type: "publish", id: ++this.requests, sdp, tracks, generation: this.generation });
  }

  /** @param {Protocol.FromServer} message */
  receive(message) {
    this.queue = this.queue.then(() => this.handle(message)).catch((error) => console.error(error));
  }

  /** @param {Protocol.FromServer} message */
  async handle(message) {
    if (message.type === "publish_answer" && message.id === this.requests && this.publisher) {
      await this.publisher.setRemoteDescription({ type: "answer", sdp: message.sdp });
      this.negotiating = false;
      if (this.again) await this.negotiate();
    } else if (message.type === "error" && message.id === this.requests && this.negotiating) {
      this.negotiating = false;
      if (message.code === "media_unavailable") setTimeout(() => this.restart(), AGAIN_MS);
    } else if (message.type === "resumed" && this.negotiating) {
      await this.restart(); // the offer or its answer may have gone down with the old socket
    } else if (message.type === "subscriber_offer") await this.answer(message);
    else if (message.type === "media_lost") {
      this.subscriber?.close();
      this.subscriber = null;
      this.subscriberPeer = "";
      await this.restart();
    }
  }

  /** @param {Protocol.SubscriberOffer} message */
  async answer(message) {
    if (message.peer !== this.subscriberPeer) {
      this.subscriber?.close();
      this.subscriber = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
      this.subscriberPeer = message.peer;
      const made = this.subscriber;
      made.ontrack = (event) => this.arrived(event.transceiver);
    }
    const subscriber = /** @type {RTCPeerConnection} */ (this.subscriber);
    this.mids = new Map(message.tracks.map((track) => [track.mid, track.publication]));
    await subscriber.setRemoteDescription({ type: "offer", sdp: message.sdp });
    await subscriber.setLocalDescription();
    const sdp = subscriber.localDescription?.sdp;
    this.connection.send({ type: "subscriber_answer", peer: message.peer, revision: message.revision, sdp });
    for (const transceiver of subscriber.getTransceivers()) this.arrived(transceiver);
  }

  /** @param {RTCRtpTransceiver} transceiver */
  arrived(transceiver) {
    const publication = transceiver.mid === null ? undefined : this.mids.get(transceiver.mid);
    if (publication) {
      this.dispatchEvent(new CustomEvent("track", { detail: { publication, track: transceiver.receiver.track } }));
    }
  }

  /** @param {RTCPeerConnection} peer @param {() => unknown} renew */
  watch(peer, renew) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    peer.onconnectionstatechange = () => {
      clearTimeout(timer);
      if (peer.connectionState === "failed") renew();
      else if (peer.connectionState === "disconnected") timer = setTimeout(renew, PATIENCE_MS);
    };
  }

  close() {
    this.publisher?.close();
    this.subscriber?.close();
    for (const track of this.local.values()) track.stop();
  }
}
