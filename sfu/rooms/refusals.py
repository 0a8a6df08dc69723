"""What a media worker did not do for others, and why: numbers for the operator that only grow."""

from __future__ import annotations

from typing import Literal, get_args

Reason = Literal[
    "unknown_sender",  # a datagram from an address that proved nothing, or of no known kind
    "address_taken",  # a check from an address that belongs to somebody else
    "malformed",  # truncated, nonsense, out of place
    "unauthentic",  # a wrong tag, or a packet that was here before
    "unknown_stream",  # an SSRC that belongs to no negotiated track
    "payload_type",  # not one that was negotiated for the track
    "oversized",  # larger than what every network carries
    "publisher_rate",  # more bytes or packets than a publisher's tracks may have
    "rtcp_rate",  # more RTCP packets than any honest endpoint sends
    "keyframe_request",  # a subscriber that asks for keyframes all the time
    "retransmission",  # more retransmissions than a subscriber's share
]


class Refusals:
    """How often what was refused, in one media worker."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[Reason, int] = dict.fromkeys(get_args(Reason), 0)

    def note(self, reason: Reason) -> None:
        """Count one."""
        self.counts[reason] += 1
