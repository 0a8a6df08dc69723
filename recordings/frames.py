"""From the packets of a pipe to whole frames: what is incomplete is left out, and a picture begins at a keyframe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from control.tracks import Codec
from sfu.errors import MalformedPacketError
from sfu.pipes.receiver import PipePacket
from sfu.wire.payloads import av1_units, h264_frame, opus, vp8_frame, vp9_frame

MAX_FRAME_PACKETS = 2048
"""About 2.4 MB: a longer frame is nonsense."""


@dataclass(slots=True, frozen=True)
class Frame:
    """One frame of a track, as a file holds it. A keyframe of a picture says its size and codec private data."""

    timestamp: int
    """Unwrapped RTP timestamp."""
    data: bytes
    is_keyframe: bool
    ticks: int = 0
    """How long it plays, of the RTP clock; 0 when only the next one tells."""
    width: int = 0
    height: int = 0
    private: bytes = b""


class AudioFrames:
    """Opus: every packet is a frame, and a lost one is a gap."""

    keyframe_wanted = False

    def __init__(self) -> None:
        self.dropped = 0
        """Packets that made no sense."""

    def take(self, packet: PipePacket) -> Frame | None:
        """Return the frame that a packet completes."""
        if not packet.payload:
            return None
        try:
            return Frame(packet.timestamp, packet.payload, True, opus.ticks(packet.payload))
        except MalformedPacketError:
            self.dropped += 1
            return None


Build = Callable[[int, Sequence[bytes]], Frame]


class VideoFrames:
    """Pictures: packets of one timestamp up to the marker. After a loss nothing is taken before the next keyframe."""

    def __init__(self, codec: Codec) -> None:
        self.keyframe_wanted = False
        """Set when a picture was lost; until the next keyframe."""
        self.dropped = 0
        """Frames left out: incomplete, malformed, or not decodable without one that was."""
        self._build = _BUILDERS[codec]
        self._begun = False
        self._timestamp: int | None = None
        self._payloads: list[bytes] = []
        self._broken = False

    def take(self, packet: PipePacket) -> Frame | None:
        """Return the frame that a packet completes."""
        if packet.lost_before:
            self._lose()
        if not packet.payload:
            return None  # padding
        if packet.timestamp != self._timestamp:
            if self._payloads:
                self._lose()  # its last packet never came: the sender left the layer in the middle of a frame
            self._timestamp = packet.timestamp
            self._broken = False
        if len(self._payloads) >= MAX_FRAME_PACKETS:
            self._lose()
        if not self._broken:
            self._payloads.append(packet.payload)
        if not packet.marker:
            return None
        payloads, self._payloads = self._payloads, []
        return self._finish(packet.timestamp, payloads) if payloads else None

    def _finish(self, timestamp: int, payloads: list[bytes]) -> Frame | None:
        try:
            frame = self._build(timestamp, payloads)
        except MalformedPacketError:
            self._lose()
            return None
        if frame.is_keyframe and (frame.width or self._begun):
            self._begun = True
            self.keyframe_wanted = False
        elif self.keyframe_wanted or not self._begun:
            self.keyframe_wanted = True
            self.dropped += 1
            return None
        return frame

    def _lose(self) -> None:
        """Leave out the frame under way, and what follows up to a keyframe."""
        self._payloads = []
        self._broken = True
        self.keyframe_wanted = True
        self.dropped += 1


def assembler(codec: Codec) -> AudioFrames | VideoFrames:
    """Return what makes frames of a codec's packets."""
    return AudioFrames() if codec == "opus" else VideoFrames(codec)


def _vp8(timestamp: int, payloads: Sequence[bytes]) -> Frame:
    data = vp8_frame.join(payloads)
    return _sized(timestamp, data, vp8_frame.size(data))


def _vp9(timestamp: int, payloads: Sequence[bytes]) -> Frame:
    data = vp9_frame.join(payloads)
    return _sized(timestamp, data, vp9_frame.size(data))


def _h264(timestamp: int, payloads: Sequence[bytes]) -> Frame:
    units = h264_frame.units(payloads)
    if not units:
        raise MalformedPacketError("an access unit without a unit")
    data = h264_frame.length_prefixed(units)
    if not h264_frame.is_keyframe(units):
        return Frame(timestamp, data, False)
    sets = h264_frame.parameter_sets(units)
    if sets is None:
        return Frame(timestamp, data, True)  # it relies on those of an earlier keyframe
    width, height = h264_frame.size(sets.sequence)
    return Frame(timestamp, data, True, 0, width, height, sets.configuration)


def _av1(timestamp: int, payloads: Sequence[bytes]) -> Frame:
    units = av1_units.units(payloads)
    if not units:
        raise MalformedPacketError("a temporal unit without an OBU")
    data = b"".join(unit.serialize() for unit in units)
    if not av1_units.is_keyframe(units):
        return Frame(timestamp, data, False)
    header = av1_units.sequence_header(units)
    return Frame(timestamp, data, True, 0, header.width, header.height, header.configuration)


def _sized(timestamp: int, data: bytes, size: tuple[int, int] | None) -> Frame:
    if size is None:
        return Frame(timestamp, data, False)
    return Frame(timestamp, data, True, 0, *size)


_BUILDERS: dict[Codec, Build] = {"vp8": _vp8, "vp9": _vp9, "h264": _h264, "av1": _av1}
