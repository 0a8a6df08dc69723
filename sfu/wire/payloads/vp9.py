"""The VP9 payload descriptor (RFC 9628 section 4.2): keyframes and picture numbers."""

from sfu.wire.payloads.pictures import PictureNumbers


def is_keyframe(payload: bytes) -> bool:
    """Return whether a keyframe begins here: a start of frame, not inter-predicted, of the lowest spatial layer."""
    if not payload:
        return False
    first = payload[0]
    has_picture_id, predicted, has_layers, begins = first & 0x80, first & 0x40, first & 0x20, first & 0x08
    if predicted or not begins:
        return False
    position = 1
    if has_picture_id:
        if len(payload) < 2:
            return False
        position += 2 if payload[1] & 0x80 else 1
    if has_layers:
        if len(payload) <= position:
            return False
        return not payload[position] & 0x0E
    return True


def numbers(payload: bytes) -> PictureNumbers | None:
    """Return the numbers of the picture that this packet belongs to, or None when it has none or is cut short.

    In flexible mode pictures name the ones that they refer to by difference, and TL0PICIDX is absent.
    """
    if len(payload) < 2 or not payload[0] & 0x80:
        return None
    first, picture, bits, position = payload[0], payload[1], 7, 2
    if picture & 0x80:
        if len(payload) < 3:
            return None
        picture, bits, position = (picture & 0x7F) << 8 | payload[2], 15, 3
    tl0_at = position + 1 if first & 0x20 and not first & 0x10 else 0
    if tl0_at >= len(payload):
        return None
    return PictureNumbers(picture, bits, 1, payload[tl0_at] if tl0_at else 0, tl0_at)
