"""A VP9 picture from its packets (RFC 9628 section 4.2), with the index that holds its layers together in a file."""

from collections.abc import Sequence
from dataclasses import dataclass

from sfu.errors import MalformedPacketError
from sfu.wire.payloads.bits import BitReader

SYNC_CODE = 0x498342
SRGB = 7
MAX_LAYERS = 8


@dataclass(slots=True, frozen=True)
class Descriptor:
    """What a VP9 payload descriptor says of the packet; `size` is its own length in bytes."""

    size: int
    begins: bool
    ends: bool
    spatial_layer: int


def parse(payload: bytes) -> Descriptor:
    """Return the descriptor of a payload; raises MalformedPacketError when it is cut short."""
    try:
        first = payload[0]
        at, spatial_layer = 1, 0
        flexible = first & 0x10
        if first & 0x80:  # I: picture id
            at += 2 if payload[at] & 0x80 else 1
        if first & 0x20:  # L: layer indices
            spatial_layer = payload[at] >> 1 & 7
            at += 1 if flexible else 2
        if flexible and first & 0x40:  # P: up to three reference indices
            for number in range(3):
                at += 1
                if not payload[at - 1] & 1:
                    break
                if number == 2:
                    raise MalformedPacketError("a VP9 descriptor with more than three references")
        if first & 0x02:  # V: scalability structure
            at = _after_structure(payload, at)
    except IndexError as error:
        raise MalformedPacketError("a VP9 descriptor is cut short") from error
    if at >= len(payload):
        raise MalformedPacketError("a VP9 payload without data")
    return Descriptor(at, bool(first & 0x08), bool(first & 0x04), spatial_layer)


def _after_structure(payload: bytes, at: int) -> int:
    """Return the position after a scalability structure; raises IndexError."""
    flags = payload[at]
    at += 1
    if flags & 0x10:
        at += ((flags >> 5) + 1) * 4
    if flags & 0x08:
        count = payload[at]
        at += 1
        for _ in range(count):
            at += 1 + (payload[at] >> 2 & 3)
    return at


def join(payloads: Sequence[bytes]) -> bytes:
    """Return the picture of these payloads, in order: a frame, or a superframe of its spatial layers.

    Raises MalformedPacketError.
    """
    layers: list[list[bytes]] = []
    ended = True
    for payload in payloads:
        descriptor = parse(payload)
        if descriptor.begins != ended:
            raise MalformedPacketError("a VP9 frame begins where it should not, or not where it should")
        if descriptor.begins:
            layers.append([])
        layers[-1].append(payload[descriptor.size :])
        ended = descriptor.ends
    if not ended or not layers:
        raise MalformedPacketError("a VP9 frame without its end")
    frames = [b"".join(parts) for parts in layers]
    return frames[0] if len(frames) == 1 else superframe(frames)


def superframe(frames: Sequence[bytes]) -> bytes:
    """Return frames of one picture with their index (VP9 bitstream specification, annex B)."""
    if len(frames) > MAX_LAYERS:
        raise MalformedPacketError("a VP9 picture of more than eight layers")
    width = max(1, (max(len(frame) for frame in frames).bit_length() + 7) // 8)
    marker = bytes([0xC0 | (width - 1) << 3 | (len(frames) - 1)])
    sizes = b"".join(len(frame).to_bytes(width, "little") for frame in frames)
    return b"".join(frames) + marker + sizes + marker


def size(frame: bytes) -> tuple[int, int] | None:
    """Return width and height of a keyframe, None for another frame (section 6.2); raises MalformedPacketError."""
    reader = BitReader(frame[:32])
    if reader.bits(2) != 2:
        raise MalformedPacketError("not a VP9 frame")
    profile = reader.bits(1) | reader.bits(1) << 1
    if profile == 3:
        reader.bits(1)
    if reader.flag() or reader.flag():  # shows an existing frame, or is not a keyframe
        return None
    reader.bits(2)
    if reader.bits(24) != SYNC_CODE:
        raise MalformedPacketError("a VP9 keyframe without its sync code")
    if profile >= 2:
        reader.bits(1)
    if reader.bits(3) != SRGB:
        reader.bits(1)
        if profile & 1:
            reader.bits(3)
    elif profile & 1:
        reader.bits(1)
    return reader.bits(16) + 1, reader.bits(16) + 1
