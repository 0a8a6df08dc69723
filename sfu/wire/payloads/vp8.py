"""The VP8 payload descriptor (RFC 7741 section 4.2): keyframes and picture numbers."""

from dataclasses import dataclass

from sfu.wire.payloads.pictures import PictureNumbers


@dataclass(slots=True, frozen=True)
class Descriptor:
    """Where the fields of a descriptor are. Offsets are in bytes from the payload's start, 0 = absent."""

    size: int
    starts_partition: bool
    partition: int
    picture_id: int
    picture_id_at: int
    picture_id_bits: int
    tl0_at: int


def parse(payload: bytes) -> Descriptor | None:
    """Return the descriptor, or None when it is cut short."""
    length = len(payload)
    if not length:
        return None
    first = payload[0]
    size, picture_id, picture_id_at, bits, tl0_at = 1, 0, 0, 0, 0
    if first & 0x80:
        if length < 2:
            return None
        flags = payload[1]
        size = 2
        if flags & 0x80:
            if length < size + 1:
                return None
            picture_id_at = size
            if payload[size] & 0x80:
                if length < size + 2:
                    return None
                bits, picture_id = 15, (payload[size] & 0x7F) << 8 | payload[size + 1]
                size += 2
            else:
                bits, picture_id = 7, payload[size]
                size += 1
        if flags & 0x40:
            tl0_at = size
            size += 1
        if flags & 0x30:
            size += 1
    if length < size:
        return None
    return Descriptor(size, bool(first & 0x10), first & 0x07, picture_id, picture_id_at, bits, tl0_at)


def is_keyframe(payload: bytes) -> bool:
    """Return whether a keyframe begins with this packet (RFC 6386 section 9.1: the P bit is 0)."""
    descriptor = parse(payload)
    return (
        descriptor is not None
        and descriptor.starts_partition
        and descriptor.partition == 0
        and len(payload) > descriptor.size
        and not payload[descriptor.size] & 1
    )


def numbers(payload: bytes) -> PictureNumbers | None:
    """Return the numbers of the picture that this packet belongs to, or None when it has none or is cut short."""
    if (
        len(payload) > 5 and payload[0] & 0x80 and payload[1] & 0xC0 == 0xC0 and payload[2] & 0x80
    ):  # as libwebrtc writes
        return PictureNumbers((payload[2] & 0x7F) << 8 | payload[3], 15, 2, payload[4], 4)
    descriptor = parse(payload)
    if descriptor is None or not descriptor.picture_id_at:
        return None
    tl0_at = descriptor.tl0_at
    tl0 = payload[tl0_at] if tl0_at else 0
    return PictureNumbers(descriptor.picture_id, descriptor.picture_id_bits, descriptor.picture_id_at, tl0, tl0_at)
