"""The AV1 aggregation header (AV1 RTP specification 1.0, section 4.4)."""


def is_keyframe(payload: bytes) -> bool:
    """Return whether a new coded video sequence begins here (the N bit)."""
    return bool(payload) and bool(payload[0] & 0x08) and not payload[0] & 0x80
