"""H.264 payloads (RFC 6184): single units, STAP-A and FU-A, as far as needed to see a keyframe begin."""

IDR, SPS, STAP_A, FU_A = 5, 7, 24, 28


def is_keyframe(payload: bytes) -> bool:
    """Return whether a keyframe begins here: a sequence parameter set, or the start of an IDR slice without one."""
    if not payload:
        return False
    kind = payload[0] & 31
    if kind in (SPS, IDR):
        return True
    if kind == FU_A:
        return len(payload) > 1 and bool(payload[1] & 0x80) and payload[1] & 31 in (SPS, IDR)
    if kind != STAP_A:
        return False
    position = 1
    while position + 2 < len(payload):
        size = int.from_bytes(payload[position : position + 2], "big")
        if payload[position + 2] & 31 in (SPS, IDR):
            return True
        position += 2 + size
    return False
