"""What the control plane tells the whole installation over the bus, as typed JSON.

Signaling publishes, the archive (recordings/archive.py) listens; they share nothing but this. Every event may arrive
twice, and after a crash it may not arrive at all: listeners take it as news, never as the only record.
"""

from typing import Final

import msgspec

from control.captions import Caption
from control.ids import RecordingId
from control.struct import Struct
from control.tracks import RecordedTrack

CAPTION_TOPIC: Final = "caption"
"""Final `Caption`s of every room."""
RECORDING_TOPIC: Final = "recording"
"""`RecordingStarted` and `RecordingStopped`."""


class RecordingStarted(Struct, tag="recording_started", frozen=True):
    """A recording of a visit runs. `started_at_s` is on the server's wall clock (Unix time)."""

    recording: RecordingId
    visit: str
    started_at_s: float


class RecordingStopped(Struct, tag="recording_stopped", frozen=True):
    """A recording is over: its files, and what went wrong, if anything did."""

    recording: RecordingId
    visit: str
    duration_s: float
    tracks: list[RecordedTrack]
    problem: str | None = None
    """Message key (`disk_full`, `write_error`, `recorder_lost`)."""


RecordingEvent = RecordingStarted | RecordingStopped

_encoder = msgspec.json.Encoder()
_caption: msgspec.json.Decoder[Caption] = msgspec.json.Decoder(Caption)
_recording: msgspec.json.Decoder[RecordingEvent] = msgspec.json.Decoder(RecordingEvent)


def encode(event: Caption | RecordingEvent) -> bytes:
    """Return one event as JSON, the payload of its topic."""
    return _encoder.encode(event)


def decode_caption(payload: bytes) -> Caption:
    """Parse a payload of `CAPTION_TOPIC`; raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return _caption.decode(payload)


def decode_recording(payload: bytes) -> RecordingEvent:
    """Parse a payload of `RECORDING_TOPIC`; raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return _recording.decode(payload)
