"""How long an Opus packet plays (RFC 6716 section 3.1): its table-of-contents byte and frame count."""

from sfu.errors import MalformedPacketError

MAX_TICKS = 5760
"""120 ms at 48 kHz, the most that a packet may hold (RFC 6716 section 3.2.5, R5)."""
_CELT_TICKS = (120, 240, 480, 960)
_HYBRID_TICKS = (480, 960)
_SILK_TICKS = (480, 960, 1920, 2880)


def ticks(packet: bytes) -> int:
    """Return the duration of a packet in samples of 48 kHz; raises MalformedPacketError."""
    if not packet:
        raise MalformedPacketError("an empty Opus packet")
    configuration = packet[0] >> 3
    if configuration < 12:
        frame = _SILK_TICKS[configuration & 3]
    elif configuration < 16:
        frame = _HYBRID_TICKS[configuration & 1]
    else:
        frame = _CELT_TICKS[configuration & 3]
    code = packet[0] & 3
    if code == 3:
        if len(packet) < 2:
            raise MalformedPacketError("an Opus packet without its frame count")
        count = packet[1] & 0x3F
    else:
        count = 1 if code == 0 else 2
    if not 0 < count * frame <= MAX_TICKS:
        raise MalformedPacketError("an Opus packet that plays for longer than 120 ms, or not at all")
    return count * frame


CONCEALED_TICKS = 960
"""20 ms: the frame of which `concealed` makes packets."""
MAX_CONCEALED_FRAMES = MAX_TICKS // CONCEALED_TICKS


def concealed(packet: bytes, frames: int) -> bytes:
    """Return a packet of 1 to 6 frames of 20 ms without content: the decoder fills in, as for lost ones.

    It goes on in mode, bandwidth and channels of `packet`, which came before (RFC 7845 section 4.1).
    """
    configuration = packet[0] >> 3
    if configuration < 12:
        configuration = configuration & ~3 | 1
    elif configuration < 16:
        configuration |= 1
    else:
        configuration |= 3
    toc = configuration << 3 | packet[0] & 4
    return bytes([toc]) if frames == 1 else bytes([toc | 3, frames])
