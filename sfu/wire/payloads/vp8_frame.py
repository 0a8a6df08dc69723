"""A VP8 frame from its packets (RFC 7741 section 4.4), and the size in a keyframe's header (RFC 6386 section 9.1)."""

from collections.abc import Sequence

from sfu.errors import MalformedPacketError
from sfu.wire.payloads import vp8

START_CODE = b"\x9d\x01\x2a"


def join(payloads: Sequence[bytes]) -> bytes:
    """Return the frame that these RTP payloads carry, in order; raises MalformedPacketError."""
    parts = []
    for number, payload in enumerate(payloads):
        descriptor = vp8.parse(payload)
        if descriptor is None or len(payload) <= descriptor.size:
            raise MalformedPacketError("a VP8 payload without data")
        if (number == 0) != (descriptor.starts_partition and descriptor.partition == 0):
            raise MalformedPacketError("a VP8 frame begins where it should not, or not where it should")
        parts.append(payload[descriptor.size :])
    return b"".join(parts)


def size(frame: bytes) -> tuple[int, int] | None:
    """Return width and height of a keyframe, None for another frame; raises MalformedPacketError."""
    if not frame:
        raise MalformedPacketError("an empty VP8 frame")
    if frame[0] & 1:
        return None
    if len(frame) < 10 or frame[3:6] != START_CODE:
        raise MalformedPacketError("a VP8 keyframe without its start code")
    width = int.from_bytes(frame[6:8], "little") & 0x3FFF
    height = int.from_bytes(frame[8:10], "little") & 0x3FFF
    if not width or not height:
        raise MalformedPacketError("a VP8 keyframe without a size")
    return width, height
