// The messages of docs/protocol.md as types; tests/web/test_protocol_types.py holds them to signaling/messages.py.

declare namespace Protocol {
  type Source = "microphone" | "camera" | "screen" | "screen_audio";

  interface ParticipantInfo {
    id: string;
    name: string;
    role: string;
    hand_raised: boolean;
    connected: boolean;
    quality: number | null;
  }

  interface PublicationInfo {
    id: string;
    participant: string;
    kind: "audio" | "video";
    source: Source;
    muted: boolean;
    live: boolean;
    layers: string[];
  }

  interface ChatLine {
    id: string;
    participant: string;
    name: string;
    text: string;
    at_s: number;
  }

  interface CaptionLine {
    segment: string;
    revision: number;
    final: boolean;
    participant: string;
    publication: string;
    speaker: string;
    text: string;
    stable_chars: number;
    start_s: number;
    end_s: number;
    language: string;
  }

  interface RecordingInfo {
    state: "idle" | "starting" | "active" | "stopping" | "failed";
    id: string | null;
    started_at_s: number | null;
    problem: string | null;
  }

  interface CaptionsInfo {
    available: boolean;
    problem: string | null;
  }

  interface SubscriberTrack {
    mid: string;
    publication: string;
  }

  interface Welcome {
    type: "welcome";
    n: number;
    session: string;
    secret: string;
    participant: string;
    role: string;
    rights: string[];
    visit: string;
    title: string;
    visit_started_at_s: number;
    server_time_s: number;
    participants: ParticipantInfo[];
    publications: PublicationInfo[];
    chat: ChatLine[];
    captions: CaptionLine[];
    recording: RecordingInfo;
    captions_state: CaptionsInfo;
    guest_link: string | null;
    version: number;
  }

  interface Resumed {
    type: "resumed";
    n: number;
  }

  interface ParticipantJoined {
    type: "participant_joined";
    n: number;
    participant: ParticipantInfo;
  }

  interface ParticipantChanged {
    type: "participant_changed";
    n: number;
    participant: ParticipantInfo;
  }

  interface ParticipantLeft {
    type: "participant_left";
    n: number;
    participant: string;
    reason: "left" | "lost" | "removed";
  }

  interface PublishAnswer {
    type: "publish_answer";
    n: number;
    id: number;
    sdp: string;
    publications: string[];
  }

  interface SubscriberOffer {
    type: "subscriber_offer";
    n: number;
    peer: string;
    revision: number;
    sdp: string;
    tracks: SubscriberTrack[];
  }

  interface PublicationAdded {
    type: "publication_added";
    n: number;
    publication: PublicationInfo;
  }

  interface PublicationChanged {
    type: "publication_changed";
    n: number;
    publication: PublicationInfo;
  }

  interface PublicationRemoved {
    type: "publication_removed";
    n: number;
    publication: string;
  }

  interface MediaLost {
    type: "media_lost";
    n: number;
  }

  interface ChatAdded {
    type: "chat_added";
    n: number;
    line: ChatLine;
  }

  interface CaptionAdded {
    type: "caption_added";
    n: number;
    caption: CaptionLine;
  }

  interface CaptionsChanged {
    type: "captions_changed";
    n: number;
    captions: CaptionsInfo;
  }

  interface RecordingChanged {
    type: "recording_changed";
    n: number;
    recording: RecordingInfo;
  }

  interface SubscriptionChanged {
    type: "subscription_changed";
    n: number;
    publication: string;
    paused: boolean;
  }

  interface Speakers {
    type: "speakers";
    n: number;
    publications: string[];
  }

  interface Ended {
    type: "ended";
    n: number;
    reason: "removed" | "ended" | "replaced";
  }

  interface Pong {
    type: "pong";
    ping: number;
    server_time_s: number;
  }

  interface Error {
    type: "error";
    code: string;
    text: string;
    id: number | null;
    fatal: boolean;
  }

  type FromServer =
    | Welcome
    | Resumed
    | ParticipantJoined
    | ParticipantChanged
    | ParticipantLeft
    | PublishAnswer
    | SubscriberOffer
    | PublicationAdded
    | PublicationChanged
    | PublicationRemoved
    | MediaLost
    | ChatAdded
    | CaptionAdded
    | CaptionsChanged
    | RecordingChanged
    | SubscriptionChanged
    | Speakers
    | Ended
    | Pong
    | Error;

  /** What the browser says; the server checks it field by field. */
  type ToServer = { type: string } & Record<string, unknown>;
}
