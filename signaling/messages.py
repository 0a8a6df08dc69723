"""The WebSocket protocol between a browser and Parvis, version 1 (docs/protocol.md).

JSON, one tagged union per direction. A client first sends `Join` or `Resume`; everything else before that is an
error. Requests carry `id`; an `Error` names the `id` it answers. Times are Unix seconds of the server.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from control.tracks import TrackKind, TrackSource

PROTOCOL_VERSION = 1

Name = Annotated[str, Meta(min_length=1, max_length=80)]
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")]
Number = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
"""As large as JavaScript counts exactly."""
Sdp = Annotated[str, Meta(max_length=65_536)]
Language = Literal["fr", "en"]


class Struct(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="type", omit_defaults=False):
    """What every message shares."""


# --- from the client ---------------------------------------------------------------------------------------------


class Join(Struct, tag="join", frozen=True):
    """Enter the room that the signed `link` token names."""

    link: Annotated[str, Meta(max_length=2048)]
    name: Name
    language: Language = "fr"
    version: Number = PROTOCOL_VERSION


class Resume(Struct, tag="resume", frozen=True):
    """Take a session up again after a dropped socket, within 30 s; `last` is the last `n` that was received."""

    session: Id
    secret: Annotated[str, Meta(max_length=128)]
    last: Number
    version: Number = PROTOCOL_VERSION


class PublishedTrack(Struct, frozen=True):
    """Which media section of the offer carries which source."""

    mid: Annotated[str, Meta(min_length=1, max_length=32)]
    source: TrackSource


class Publish(Struct, tag="publish", frozen=True):
    """The publishing peer connection's offer, first or renewed. Answered with `PublishAnswer`.

    `generation` starts at 1 and grows by one with each new RTCPeerConnection: a new one replaces the old peer.
    """

    id: Number
    sdp: Sdp
    tracks: Annotated[list[PublishedTrack], Meta(max_length=8)]
    generation: Number = 1


class SubscriberAnswer(Struct, tag="subscriber_answer", frozen=True):
    """The receiving peer connection's answer to the offer of the same `peer` and `revision`."""

    peer: Id
    revision: Number
    sdp: Sdp


class SelectLayer(Struct, tag="select_layer", frozen=True):
    """Prefer one simulcast layer of a publication; null = automatic."""

    publication: Id
    rid: Annotated[str, Meta(max_length=16)] | None


class SetMuted(Struct, tag="set_muted", frozen=True):
    """Mute or unmute a publication: one's own, or with the right `mute` somebody else's (mute only)."""

    publication: Id
    muted: bool


class Chat(Struct, tag="chat", frozen=True):
    """Say something in writing to the room."""

    text: Annotated[str, Meta(min_length=1, max_length=2000)]


class RaiseHand(Struct, tag="raise_hand", frozen=True):
    """Raise or lower one's hand; with the right `mute`, lower somebody else's by naming `participant`."""

    raised: bool
    participant: Id | None = None


class StartRecording(Struct, tag="start_recording", frozen=True):
    """Begin recording (right `record`)."""

    id: Number


class StopRecording(Struct, tag="stop_recording", frozen=True):
    """End recording (right `record`)."""

    id: Number


class RemoveParticipant(Struct, tag="remove_participant", frozen=True):
    """Send somebody out (right `remove`)."""

    participant: Id


class EndVisit(Struct, tag="end_visit", frozen=True):
    """End the visit for everybody (right `end`)."""


class Leave(Struct, tag="leave", frozen=True):
    """Leave the room; the session is gone at once."""


class Ping(Struct, tag="ping", frozen=True):
    """Is anybody there? Answered with `Pong`."""

    n: Number


ClientMessage = (
    Join | Resume | Publish | SubscriberAnswer | SelectLayer | SetMuted | Chat | RaiseHand | StartRecording
    | StopRecording | RemoveParticipant | EndVisit | Leave | Ping
)  # fmt: skip


# --- from the server ---------------------------------------------------------------------------------------------


class ParticipantInfo(Struct, frozen=True):
    """What everybody in the room may know of a participant."""

    id: str
    name: str
    role: str
    hand_raised: bool = False
    connected: bool = True
    """False while the person's socket is gone and may still come back."""
    quality: int | None = None
    """Network quality, 1 (poor) to 4 (excellent); null while unknown."""


class PublicationInfo(Struct, frozen=True):
    """A track that is offered to the room."""

    id: str
    participant: str
    kind: TrackKind
    source: TrackSource
    muted: bool
    live: bool
    """True once packets have arrived."""
    layers: list[str] = []


class ChatLine(Struct, frozen=True):
    """One chat message as everybody sees it."""

    id: str
    participant: str
    name: str
    text: str
    at_s: float


class CaptionLine(Struct, frozen=True):
    """Words of one speaker; see control.captions.Caption. `start_s`, `end_s` count from the visit's start."""

    segment: str
    revision: int
    final: bool
    participant: str
    publication: str
    speaker: str
    text: str
    stable_chars: int
    start_s: float
    end_s: float
    language: str


class RecordingInfo(Struct, frozen=True):
    """State of the room's recording."""

    state: Literal["idle", "starting", "active", "stopping", "failed"]
    id: str | None = None
    started_at_s: float | None = None
    problem: str | None = None
    """Message key of what went wrong, for state `failed`."""


class CaptionsInfo(Struct, frozen=True):
    """Whether captions come."""

    available: bool
    problem: str | None = None
    """Why not, when it is known: `control.messages.CAPTION_PROBLEMS`."""


class Welcome(Struct, tag="welcome", frozen=True):
    """The room as it is. Sent after `Join`, and after a `Resume` whose backlog is gone."""

    n: int
    session: str
    secret: str
    """For `Resume`."""
    participant: str
    role: str
    rights: list[str]
    visit: str
    title: str
    visit_started_at_s: float
    server_time_s: float
    participants: list[ParticipantInfo]
    publications: list[PublicationInfo]
    chat: list[ChatLine]
    captions: list[CaptionLine]
    recording: RecordingInfo
    captions_state: CaptionsInfo
    guest_link: str | None = None
    """The link to copy for others (right `invite`)."""
    version: int = PROTOCOL_VERSION


class Resumed(Struct, tag="resumed", frozen=True):
    """The session goes on; `n` is the `last` of the client, what was missed since follows."""

    n: int


class ParticipantJoined(Struct, tag="participant_joined", frozen=True):
    """Somebody came in."""

    n: int
    participant: ParticipantInfo


class ParticipantChanged(Struct, tag="participant_changed", frozen=True):
    """Hand, connection or quality of a participant changed."""

    n: int
    participant: ParticipantInfo


class ParticipantLeft(Struct, tag="participant_left", frozen=True):
    """Somebody is gone."""

    n: int
    participant: str
    reason: Literal["left", "lost", "removed"]


class PublishAnswer(Struct, tag="publish_answer", frozen=True):
    """The answer to the client's offer, with the names of its publications in the order of its tracks."""

    n: int
    id: int
    sdp: str
    publications: list[str]


class SubscriberTrack(Struct, frozen=True):
    """Which media section carries which publication."""

    mid: str
    publication: str


class SubscriberOffer(Struct, tag="subscriber_offer", frozen=True):
    """An offer for the receiving peer connection. A new `peer` means: a new RTCPeerConnection."""

    n: int
    peer: str
    revision: int
    sdp: str
    tracks: list[SubscriberTrack]


class PublicationAdded(Struct, tag="publication_added", frozen=True):
    """A track is offered."""

    n: int
    publication: PublicationInfo


class PublicationChanged(Struct, tag="publication_changed", frozen=True):
    """Muted, live or layers changed."""

    n: int
    publication: PublicationInfo


class PublicationRemoved(Struct, tag="publication_removed", frozen=True):
    """A track is gone."""

    n: int
    publication: str


class MediaLost(Struct, tag="media_lost", frozen=True):
    """The media server went away: close both peer connections and publish anew (a new generation)."""

    n: int


class ChatAdded(Struct, tag="chat_added", frozen=True):
    """A chat line."""

    n: int
    line: ChatLine


class CaptionAdded(Struct, tag="caption_added", frozen=True):
    """A caption, or a new revision of one."""

    n: int
    caption: CaptionLine


class CaptionsChanged(Struct, tag="captions_changed", frozen=True):
    """Captions became available or stopped."""

    n: int
    captions: CaptionsInfo


class RecordingChanged(Struct, tag="recording_changed", frozen=True):
    """The recording started, stopped or failed: everybody is told."""

    n: int
    recording: RecordingInfo


class SubscriptionChanged(Struct, tag="subscription_changed", frozen=True):
    """This client's link has no room for a picture, not even the smallest one (`paused`), or has room again."""

    n: int
    publication: str
    paused: bool


class Speakers(Struct, tag="speakers", frozen=True):
    """Publications with a voice now, loudest first."""

    n: int
    publications: list[str]


class Ended(Struct, tag="ended", frozen=True):
    """Over for this client: `removed` by somebody, `ended` for all, `replaced` by a newer socket of the session."""

    n: int
    reason: Literal["removed", "ended", "replaced"]


class Pong(Struct, tag="pong", frozen=True):
    """Yes. Not numbered: it is never replayed."""

    ping: int
    server_time_s: float


class Error(Struct, tag="error", frozen=True):
    """What was wrong: `code` is stable and a key of the locales; `text` is in the client's language.

    Not numbered: it is never replayed. After `fatal` the socket closes.
    """

    code: str
    text: str
    id: int | None = None
    fatal: bool = False


ServerMessage = (
    Welcome | Resumed | ParticipantJoined | ParticipantChanged | ParticipantLeft | PublishAnswer
    | SubscriberOffer
    | PublicationAdded | PublicationChanged | PublicationRemoved | MediaLost | ChatAdded | CaptionAdded
    | CaptionsChanged | RecordingChanged | SubscriptionChanged | Speakers | Ended | Pong | Error
)  # fmt: skip

MAX_MESSAGE_BYTES = 128 * 1024
"""A larger message from a client closes its socket."""

_encoder = msgspec.json.Encoder()
_client: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_server: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)


def encode(message: ClientMessage | ServerMessage) -> str:
    """Return one message as JSON text."""
    return _encoder.encode(message).decode()


def decode_client(data: bytes | str) -> ClientMessage:
    """Parse what a client sent; raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    try:
        return _client.decode(data)
    except (RecursionError, UnicodeError) as error:
        raise msgspec.DecodeError("nested too deeply, or no text") from error


def decode_server(data: bytes | str) -> ServerMessage:
    """Parse what the server sent (for clients in Python); raises as `decode_client`."""
    return _server.decode(data)
