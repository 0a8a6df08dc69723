"""What the control plane and its workers say to each other, as typed JSON (docs/control.md).

A worker opens a WebSocket, says `Hello`, and is then sent `Request`s, which it answers with a `Reply` of the same
number. On its own account it sends `Notice`s. Everything is one tagged union per direction, so that a malformed
message is refused at the door with a reason.

Times named `*_s` are seconds; those called `at_s` are on the server's wall clock (Unix time), the clock that every
worker of one installation shares.
"""

from typing import Literal

import msgspec

from control.captions import Caption, CaptionsUnavailable
from control.ids import ParticipantId, PeerId, PipeId, PublicationId, RecordingId, RoomId, WorkerId
from control.pipes import PipeSpec
from control.struct import Struct
from control.tracks import Codec, RecordedTrack, TrackKind, TrackSource

PROTOCOL_VERSION = 1

WorkerKind = Literal["media", "transcriber", "recorder"]


# --- both directions -------------------------------------------------------------------------------------------


class Hello(Struct, tag="hello", frozen=True):
    """A worker's first message."""

    worker: WorkerId
    kind: WorkerKind
    token: str
    version: int = PROTOCOL_VERSION
    pipe_address: tuple[str, int] | None = None
    """Where this worker receives pipes (UDP); None for a media worker."""
    capacity: int = 100
    """Jobs it can take: rooms (media), streams (transcriber), recordings (recorder)."""


class Welcome(Struct, tag="welcome", frozen=True):
    """The control plane's answer to a good `Hello`; a bad one closes the socket with a reason."""

    version: int = PROTOCOL_VERSION


class Load(Struct, tag="load", frozen=True):
    """A worker's report of itself, every few seconds; its absence for 10 s means that the worker is gone."""

    jobs: int
    cpu_s: float
    """Processor time used by the process since it started."""
    gauges: dict[str, float] = msgspec.field(default_factory=dict)


# --- to a media worker -----------------------------------------------------------------------------------------


class TrackOffer(Struct, frozen=True):
    """A track that a participant may publish, tied to a media section of the offer by `mid`."""

    mid: str
    publication: PublicationId
    source: TrackSource


class OpenRoom(Struct, tag="open_room", frozen=True):
    """Make a room; done already is no error."""

    room: RoomId


class CloseRoom(Struct, tag="close_room", frozen=True):
    """End a room with every peer and pipe in it."""

    room: RoomId


class Publish(Struct, tag="publish", frozen=True):
    """Take a participant's offer (first or renewed). Media sections not in `tracks` are answered inactive.

    Answered with `SessionDescription`. A publication that was in the previous offer and is not in `tracks` ends.
    """

    room: RoomId
    participant: ParticipantId
    peer: PeerId
    sdp: str
    tracks: list[TrackOffer]


class OpenSubscriber(Struct, tag="open_subscriber", frozen=True):
    """Make the peer through which a participant receives. Offers follow as `SubscriberOffer` notices."""

    room: RoomId
    participant: ParticipantId
    peer: PeerId


class Subscribe(Struct, tag="subscribe", frozen=True):
    """Forward publications to a subscriber peer; causes a `SubscriberOffer`. Known ones are no error."""

    peer: PeerId
    publications: list[PublicationId]


class Unsubscribe(Struct, tag="unsubscribe", frozen=True):
    """Stop forwarding publications to a subscriber peer; causes a `SubscriberOffer`."""

    peer: PeerId
    publications: list[PublicationId]


class SubscriberAnswer(Struct, tag="subscriber_answer", frozen=True):
    """The browser's answer to the `SubscriberOffer` of the same revision."""

    peer: PeerId
    revision: int
    sdp: str


class SelectLayer(Struct, tag="select_layer", frozen=True):
    """Ask for one simulcast layer by RID; None gives back the automatic choice (the best that is active)."""

    peer: PeerId
    publication: PublicationId
    rid: str | None


class PausePublication(Struct, tag="pause_publication", frozen=True):
    """Stop (or resume) forwarding of a publication to everybody, pipes included: the server's mute."""

    publication: PublicationId
    paused: bool


class ClosePeer(Struct, tag="close_peer", frozen=True):
    """End one peer and, if it publishes, its publications."""

    peer: PeerId


class WatchPublication(Struct, tag="watch_publication", frozen=True):
    """WHEP: take a viewer's offer to receive the given publications. Answered with `SessionDescription`."""

    room: RoomId
    participant: ParticipantId
    peer: PeerId
    sdp: str
    publications: list[PublicationId]


class RestartIce(Struct, tag="restart_ice", frozen=True):
    """Give a peer new ICE credentials for the browser's new ones. Answered with `IceCredentials`."""

    peer: PeerId
    ufrag: str
    password: str


class OpenPipe(Struct, tag="open_pipe", frozen=True):
    """Send a publication to `address` as described by `spec`."""

    room: RoomId
    spec: PipeSpec
    address: tuple[str, int]


class ClosePipe(Struct, tag="close_pipe", frozen=True):
    """Stop a pipe; unknown ones are no error."""

    pipe: PipeId


# --- to a transcriber ------------------------------------------------------------------------------------------


class StartCaptions(Struct, tag="start_captions", frozen=True):
    """Caption one microphone. Answered when the pipe may be opened."""

    room: RoomId
    participant: ParticipantId
    speaker: str
    """The name shown with the words."""
    spec: PipeSpec
    language: str = ""
    """As Whisper writes it (`fr`, `en`); empty: the one in the transcriber's settings."""
    vocabulary: list[str] = msgspec.field(default_factory=list)
    """Names and terms that are likely to be said."""


class StopCaptions(Struct, tag="stop_captions", frozen=True):
    """End the captions of one publication, after what is under way became final."""

    publication: PublicationId


# --- to a recorder ---------------------------------------------------------------------------------------------


class StartRecording(Struct, tag="start_recording", frozen=True):
    """Begin a recording: a folder and a manifest. `resume` continues one whose recorder died."""

    recording: RecordingId
    room: RoomId
    at_s: float
    resume: bool = False


class RecordTrack(Struct, tag="record_track", frozen=True):
    """Add a track to a recording. Answered when the pipe may be opened."""

    recording: RecordingId
    participant: ParticipantId
    name: str
    source: TrackSource
    spec: PipeSpec


class StopTrack(Struct, tag="stop_track", frozen=True):
    """Close one track's file; unknown ones are no error."""

    recording: RecordingId
    publication: PublicationId


class StopRecording(Struct, tag="stop_recording", frozen=True):
    """Close every file and the manifest. Answered with `RecordingClosed`."""

    recording: RecordingId


Command = (
    OpenRoom | CloseRoom | Publish | OpenSubscriber | Subscribe | Unsubscribe | SubscriberAnswer | SelectLayer
    | PausePublication | ClosePeer | WatchPublication | RestartIce | OpenPipe | ClosePipe | StartCaptions | StopCaptions
    | StartRecording | RecordTrack | StopTrack | StopRecording
)  # fmt: skip


class Request(Struct, tag="request", frozen=True):
    """A command with the number that its reply will carry."""

    number: int
    command: Command


# --- answers ---------------------------------------------------------------------------------------------------


class Done(Struct, tag="done", frozen=True):
    """It is done; there is nothing to tell."""


class Failed(Struct, tag="failed", frozen=True):
    """It was not done. `code` is stable and machine-readable, `reason` one English sentence for the log."""

    code: str
    reason: str


class SessionDescription(Struct, tag="session_description", frozen=True):
    """An SDP answer."""

    sdp: str


class IceCredentials(Struct, tag="ice_credentials", frozen=True):
    """The media worker's end of a restarted ICE session."""

    ufrag: str
    password: str


class RecordingClosed(Struct, tag="recording_closed", frozen=True):
    """A finished recording."""

    recording: RecordingId
    duration_s: float
    tracks: list[RecordedTrack]


Result = Done | Failed | SessionDescription | IceCredentials | RecordingClosed


class Reply(Struct, tag="reply", frozen=True):
    """The answer to the request of the same number."""

    number: int
    result: Result


# --- what a worker tells on its own ------------------------------------------------------------------------------


class SubscriberTrack(Struct, frozen=True):
    """One media section of a subscriber offer."""

    mid: str
    publication: PublicationId


class SubscriberOffer(Struct, tag="subscriber_offer", frozen=True):
    """An offer for the browser. Only one is open at a time; changes meanwhile wait for its answer."""

    peer: PeerId
    revision: int
    sdp: str
    tracks: list[SubscriberTrack]


class PeerConnected(Struct, tag="peer_connected", frozen=True):
    """ICE and DTLS are done; media flows."""

    peer: PeerId
    srtp_profile: str


class PeerClosed(Struct, tag="peer_closed", frozen=True):
    """A peer ended by itself: consent expired, DTLS closed or failed, wrong fingerprint."""

    peer: PeerId
    reason: str


class PublicationStarted(Struct, tag="publication_started", frozen=True):
    """The first authenticated packet of a publication arrived: now it may be subscribed to and piped."""

    publication: PublicationId
    kind: TrackKind
    codec: Codec
    clock_rate: int
    channels: int
    layers: list[str]
    """RIDs, best first; empty without simulcast."""


class PublicationEnded(Struct, tag="publication_ended", frozen=True):
    """A publication is gone with its peer or by a renewed offer."""

    publication: PublicationId


class PeerQuality(Struct, tag="peer_quality", frozen=True):
    """How the network treats one peer, every 2 s, from RTCP reports."""

    peer: PeerId
    rtt_ms: float | None
    loss_up_percent: float
    """Of what the peer sent."""
    loss_down_percent: float
    """Of what the peer was sent."""
    bitrate_up_bps: int
    bitrate_down_bps: int


class SubscriptionChanged(Struct, tag="subscription_changed", frozen=True):
    """Whether a subscriber's link has no room for a picture, not even the smallest; the sound goes on."""

    peer: PeerId
    publication: PublicationId
    paused: bool


class Speaking(Struct, tag="speaking", frozen=True):
    """Publications with a voice now, loudest first (RFC 6464 levels); sent on change."""

    room: RoomId
    publications: list[PublicationId]


class RecordingFailed(Struct, tag="recording_failed", frozen=True):
    """A recording cannot go on (`disk_full`, `write_error`); what was written stays readable."""

    recording: RecordingId
    code: str
    reason: str


Notice = (
    SubscriberOffer | PeerConnected | PeerClosed | PublicationStarted | PublicationEnded | PeerQuality
    | SubscriptionChanged | Speaking
    | Caption | CaptionsUnavailable | RecordingFailed | Load
)  # fmt: skip

ToWorker = Welcome | Request
FromWorker = (
    Hello | Reply | SubscriberOffer | PeerConnected | PeerClosed | PublicationStarted | PublicationEnded
    | PeerQuality | SubscriptionChanged | Speaking | Caption | CaptionsUnavailable | RecordingFailed | Load
)  # fmt: skip

_encoder = msgspec.json.Encoder()
_to_worker: msgspec.json.Decoder[ToWorker] = msgspec.json.Decoder(ToWorker)
_from_worker: msgspec.json.Decoder[FromWorker] = msgspec.json.Decoder(FromWorker)

MAX_MESSAGE_BYTES = 1 << 20
"""Larger messages are refused by both sides."""


def encode(message: ToWorker | FromWorker) -> bytes:
    """Return one message as JSON. `bytes` fields travel as base64."""
    return _encoder.encode(message)


def decode_to_worker(data: bytes | str) -> ToWorker:
    """Parse what the control plane sent; raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return _to_worker.decode(data)


def decode_from_worker(data: bytes | str) -> FromWorker:
    """Parse what a worker sent; raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return _from_worker.decode(data)
