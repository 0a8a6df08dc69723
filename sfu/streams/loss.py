"""What a receiver lost on its own link, from its reports (RFC 3550 section 6.4.1).

Numbers that the publisher lost on its way to us are holes in what we send as well, and the receiver counts them. They
say nothing about its link, and taking a layer from it would help nobody.
"""

from collections.abc import Callable

MAX_INTERVAL = 4096
"""Packets between two reports; more is a receiver that makes no sense or has been away."""


class LinkLoss:
    """The loss of one receiver of one stream, report by report."""

    __slots__ = ("_highest", "_lost")

    def __init__(self) -> None:
        self._highest: int | None = None
        self._lost = 0

    def reported(self, highest: int, lost: int, fraction: float, never_sent: Callable[[int, int], int]) -> float:
        """Return the share (0 to 1) of what was sent since the last report that did not arrive.

        `highest` is the newest outgoing index that the receiver has, `lost` its cumulative count, `fraction` (0 to 1)
        what it says of the interval itself, which is all there is to the first report. `never_sent` counts the holes
        among outgoing indices from its first argument up to its second one (exclusive).
        """
        before, lost_before = self._highest, self._lost
        self._highest, self._lost = highest, lost
        if before is None:
            return fraction
        expected = highest - before
        if not 0 < expected <= MAX_INTERVAL:
            return fraction
        holes = never_sent(before + 1, highest + 1)
        sent = expected - holes
        return min(1.0, max(0, lost - lost_before - holes) / sent) if sent > 0 else 0.0
