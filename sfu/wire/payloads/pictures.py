"""The numbers of pictures in VP8 and VP9 payload descriptors: what they are, where, and others in their place.

PictureID counts pictures (7 or 15 bits), TL0PICIDX those of the lowest temporal layer (8 bits): RFC 7741 section 4.2,
RFC 9628 section 4.2.
"""

from typing import NamedTuple


class PictureNumbers(NamedTuple):
    """The numbers in one payload. Positions are in bytes from the payload's start, 0 = absent.

    A tuple, since one is made of each packet of a layer that somebody changed to: that costs half of a dataclass.
    """

    picture: int
    picture_bits: int
    picture_at: int
    tl0: int
    tl0_at: int


def renumber(payload: bytes, numbers: PictureNumbers, picture_offset: int, tl0_offset: int) -> bytes:
    """Return the payload with its numbers moved on by these offsets, modulo what their fields hold."""
    at = numbers.picture_at
    tl0_at = numbers.tl0_at
    if numbers.picture_bits == 15:
        picture = (numbers.picture + picture_offset & 0x7FFF | 0x8000).to_bytes(2, "big")
        if tl0_at == at + 2:  # as libwebrtc writes VP8
            return payload[:at] + picture + bytes((numbers.tl0 + tl0_offset & 0xFF,)) + payload[at + 3 :]
        payload = payload[:at] + picture + payload[at + 2 :]
    elif numbers.picture_bits == 7:
        payload = payload[:at] + bytes((numbers.picture + picture_offset & 0x7F,)) + payload[at + 1 :]
    if tl0_at:
        payload = payload[:tl0_at] + bytes((numbers.tl0 + tl0_offset & 0xFF,)) + payload[tl0_at + 1 :]
    return payload
