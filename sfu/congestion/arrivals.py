"""Groups of packets by the instant of their departure, and how departures and arrivals of groups differ.

A sender lets packets go in bursts; what a queue does to the network's delay shows between bursts, not within one
(draft-ietf-rmcat-gcc-02 section 5.2; the rules are those of libwebrtc's inter-arrival filter).
"""

from __future__ import annotations

from dataclasses import dataclass

BURST_S = 0.005
"""Packets sent within this time are one group."""
MAX_BURST_S = 0.1
STALL_S = 3.0
"""Arrivals that jump by more than this have another reason than a queue."""


@dataclass(slots=True)
class _Group:
    first_sent_at: float
    sent_at: float
    arrived_at: float
    first_arrived_at: float


class ArrivalGroups:
    """Feed it with packets in the order of their arrival."""

    __slots__ = ("_current", "_previous")

    def __init__(self) -> None:
        self._current: _Group | None = None
        self._previous: _Group | None = None

    def add(self, sent_at: float, arrived_at: float) -> tuple[float, float] | None:
        """Note a packet; return (seconds between departures, between arrivals) of two groups when one is complete."""
        current = self._current
        if current is None:
            self._current = _Group(sent_at, sent_at, arrived_at, arrived_at)
            return None
        if sent_at < current.first_sent_at:
            return None  # overtaken by a later group
        if sent_at - current.first_sent_at <= BURST_S or self._bunched(current, sent_at, arrived_at):
            current.sent_at = max(current.sent_at, sent_at)
            current.arrived_at = arrived_at
            return None
        deltas = None
        previous = self._previous
        if previous is not None:
            departures = current.sent_at - previous.sent_at
            arrivals = current.arrived_at - previous.arrived_at
            if arrivals < 0 or arrivals - departures > STALL_S:
                self._previous = None
                self._current = _Group(sent_at, sent_at, arrived_at, arrived_at)
                return None
            deltas = departures, arrivals
        self._previous = current
        self._current = _Group(sent_at, sent_at, arrived_at, arrived_at)
        return deltas

    def _bunched(self, current: _Group, sent_at: float, arrived_at: float) -> bool:
        """Tell whether a packet came at the heels of the group although it was sent later: something held both up."""
        waited = arrived_at - current.arrived_at
        return (
            waited - (sent_at - current.sent_at) < 0
            and waited <= BURST_S
            and arrived_at - current.first_arrived_at < MAX_BURST_S
        )
