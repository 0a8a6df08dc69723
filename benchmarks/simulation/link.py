"""A link with a capacity that changes, a queue that fills, a delay, jitter and loss (all from one seed)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.simulation.clock import Clock

UDP_IP_BYTES = 28


@dataclass(slots=True, frozen=True)
class LinkPlan:
    """What a link is like."""

    capacity_bps: Sequence[tuple[float, float]]
    """(from second, bit/s), in order."""
    delay_s: float = 0.04
    """One way, empty."""
    queue_s: float = 0.3
    """How much the queue holds, in seconds at the capacity; what does not fit is dropped."""
    jitter_s: float = 0.0
    """Standard deviation of what is added to the delay; order is kept."""
    loss: float = 0.0
    """Probability that a packet is lost for no reason."""
    competing: Sequence[tuple[float, float, float]] = ()
    """(from second, to second, bit/s) of somebody else's packets in the same queue."""


class Link:
    """One direction of a link."""

    def __init__(self, clock: Clock, plan: LinkPlan, random: Random) -> None:
        self._clock = clock
        self._plan = plan
        self._random = random
        self._free_at = 0.0
        self._delivered_at = 0.0
        self.dropped = 0
        for start, end, bps in plan.competing:
            clock.at(start, lambda end=end, bps=bps: self._compete(end, bps))  # type: ignore[misc]

    def capacity_bps(self, at: float) -> float:
        """Return the capacity at a time."""
        return [bps for start, bps in self._plan.capacity_bps if start <= at][-1]

    def free_bps(self, at: float) -> float:
        """Return what competing packets leave of the capacity at a time."""
        return self.capacity_bps(at) - sum(bps for start, end, bps in self._plan.competing if start <= at < end)

    def send(self, size: int, arrived: Callable[[], None]) -> None:
        """Take a packet of `size` bytes of UDP payload; `arrived` is called when, and if, it comes out."""
        departure = self._enqueue(size)
        if departure is None or self._random.random() < self._plan.loss:
            self.dropped += 1
            return
        jitter = abs(self._random.gauss(0, self._plan.jitter_s)) if self._plan.jitter_s else 0.0
        self._delivered_at = max(self._delivered_at, departure + self._plan.delay_s + jitter)
        self._clock.at(self._delivered_at, arrived)

    @property
    def queue_s(self) -> float:
        """How long a packet that came now would wait."""
        return max(0.0, self._free_at - self._clock.now)

    def _enqueue(self, size: int) -> float | None:
        now = self._clock.now
        if self.queue_s > self._plan.queue_s:
            return None
        start = max(now, self._free_at)
        self._free_at = start + (size + UDP_IP_BYTES) * 8 / self.capacity_bps(start)
        return self._free_at

    def _compete(self, end: float, bps: float) -> None:
        if self._clock.now >= end:
            return
        self._enqueue(1200)
        self._clock.after(1200 * 8 / bps * self._random.uniform(0.5, 1.5), lambda: self._compete(end, bps))
