"""Plain values of the wire: addresses, and NTP time as RTCP carries it (RFC 3550 section 4)."""

Address = tuple[str, int]
"""Host as text, UDP port."""

NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900 to 1970."""


def ntp_from_unix(at_s: float) -> int:
    """Return the 64-bit NTP time of a Unix time."""
    return round((at_s + NTP_EPOCH_S) * 4_294_967_296) & 0xFFFFFFFFFFFFFFFF


def unix_from_ntp(ntp_time: int) -> float:
    """Return the Unix time of a 64-bit NTP time."""
    return ntp_time / 4_294_967_296 - NTP_EPOCH_S


def ntp_middle(ntp_time: int) -> int:
    """Return the middle 32 bits of an NTP time: what LSR and DLSR count in, 1/65,536 s."""
    return (ntp_time >> 16) & 0xFFFFFFFF
