"""Tracks as all processes name them: kinds, sources and codecs, and what is left of one that was recorded."""

from typing import Literal

from control.ids import ParticipantId, PublicationId
from control.struct import Struct

TrackKind = Literal["audio", "video"]
TrackSource = Literal["microphone", "camera", "screen", "screen_audio"]
Codec = Literal["opus", "vp8", "vp9", "h264", "av1"]


class RecordedTrack(Struct, frozen=True):
    """One finished file of a recording. Offsets are from the recording's start."""

    publication: PublicationId
    participant: ParticipantId
    name: str
    source: TrackSource
    kind: TrackKind
    codec: Codec
    file: str
    """File name inside the recording's folder."""
    start_s: float
    duration_s: float
    bytes: int
    complete: bool = True
    """False when the file was cut short by a fault and closed afterwards."""
