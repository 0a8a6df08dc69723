"""The VP9 payload descriptor (RFC 9628 section 4.2): only what tells a keyframe."""


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
