"""Continuous numbers towards one subscriber, whatever layer the packets come from.

A subscriber sees one SSRC. Switching layers changes the source of packets, each source with its own sequence numbers
and timestamps; the offsets kept here make the seam invisible. Picture numbers: `sfu.streams.pictures`.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Seam:
    """One stretch of source packets and how its numbers map to outgoing ones."""

    source: object
    """The layer that the packets come from."""
    first_index: int
    """The first source packet of the stretch; older ones belong to nobody."""
    index_offset: int
    """Outgoing packet index minus source packet index."""
    timestamp_offset: int
    """Outgoing RTP timestamp minus that of the source, modulo 2**32."""


MAX_SEAMS = 8
"""Stretches remembered for retransmission; a subscriber that switches more often in a second has other troubles."""


class Rewriter:
    """The stretches of one subscription, newest last."""

    __slots__ = ("last_index", "last_timestamp", "seams")

    def __init__(self, first_index: int, first_timestamp: int) -> None:
        """Start numbering at these outgoing values (the last ones 'sent' are one less)."""
        self.last_index = first_index - 1
        self.last_timestamp = first_timestamp
        self.seams: list[Seam] = []

    def switch(self, source: object, index: int, timestamp: int, elapsed_ticks: int) -> Seam:
        """Begin a new stretch whose first packet has this source index and timestamp.

        `elapsed_ticks` is the media time since the newest packet sent, in ticks of the RTP clock; at least one tick
        passes, so that a new frame never shares the timestamp of an old one.
        """
        ticks = max(1, elapsed_ticks) if self.seams else 0
        seam = Seam(
            source,
            index,
            self.last_index + 1 - index,
            (self.last_timestamp + ticks - timestamp) & 0xFFFFFFFF,
        )
        self.seams.append(seam)
        if len(self.seams) > MAX_SEAMS:
            del self.seams[0]
        return seam

    def origin(self, outgoing_index: int) -> tuple[Seam, int] | None:
        """Return the stretch and the source packet index behind an outgoing packet index, if remembered."""
        for seam in reversed(self.seams):
            index = outgoing_index - seam.index_offset
            if index >= seam.first_index:
                return seam, index
        return None
