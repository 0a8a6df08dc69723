"""A pipe: the only way out of the media plane besides a browser."""

from control.ids import PipeId, PublicationId
from control.struct import Struct
from control.tracks import Codec


class PipeSpec(Struct, frozen=True):
    """One publication leaving the media plane as SRTP (AEAD_AES_128_GCM) over UDP (docs/architecture.md, pipes).

    RTP carries `payload_type` and `ssrc` as given here; sequence numbers and timestamps are continuous over layer
    switches. RTCP sender reports map RTP timestamps to the server's wall clock, at the start and every second. The
    receiver may send NACK and PLI back (RFC 4585) under the same key, from its own pipe address, with SSRC
    `ssrc ^ 0xFFFFFFFF` as sender. A lost packet is sent again as it was: same sequence number, same bytes.
    """

    pipe: PipeId
    publication: PublicationId
    codec: Codec
    clock_rate: int
    payload_type: int
    ssrc: int
    key: bytes
    """16 bytes."""
    salt: bytes
    """12 bytes."""
    channels: int = 1
