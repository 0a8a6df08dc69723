"""Serial numbers that wrap around (RFC 1982, RFC 3550 appendix A.1)."""


def unwrap(value: int, near: int, bits: int) -> int:
    """Return the number congruent to `value` (of `bits` bits) that is closest to `near`."""
    half = 1 << (bits - 1)
    return near + ((value - near + half) & ((1 << bits) - 1)) - half
