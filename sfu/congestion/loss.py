"""The bitrate that loss allows (draft-ietf-rmcat-gcc-02 section 6): a little is nobody's fault, much is a queue."""

from __future__ import annotations

from collections import deque

from sfu.congestion.throughput import INCREASE_PER_S, MIN_INCREASE_BPS, grown

LITTLE, MUCH = 0.02, 0.10
WINDOW_S = 2.0
MIN_PACKETS = 20
DECREASE_INTERVAL_S = 0.3
MIN_SHARE = 0.5
"""What arrives shows what fits; when little is sent it shows little, so no step is larger than this."""


class LossControl:
    """Bitrate from the share of packets lost."""

    __slots__ = ("_decreased_at", "_lost", "_packets", "_updated_at", "_window", "fraction", "target_bps")

    def __init__(self, start_bps: float, now: float) -> None:
        self.target_bps = start_bps
        self.fraction = 0.0
        """Of the packets of the last two seconds."""
        self._window: deque[tuple[float, int, int]] = deque()
        self._packets = 0
        self._lost = 0
        self._updated_at = now
        self._decreased_at = float("-inf")

    def update(self, packets: int, lost: int, throughput_bps: float | None, rtt_s: float, now: float) -> float:
        """Take the counts of one feedback message, and what arrives; return the target in bit/s."""
        elapsed = min(1.0, now - self._updated_at)
        self._updated_at = now
        self._window.append((now, packets, lost))
        self._packets += packets
        self._lost += lost
        while now - self._window[0][0] > WINDOW_S and len(self._window) > 1:
            _, old_packets, old_lost = self._window.popleft()
            self._packets -= old_packets
            self._lost -= old_lost
        if self._packets < MIN_PACKETS:
            self.fraction = 0.0  # too few to say
            return self.target_bps
        self.fraction = self._lost / self._packets
        if self.fraction <= LITTLE:
            step = max(MIN_INCREASE_BPS * elapsed, self.target_bps * (INCREASE_PER_S**elapsed - 1))
            self.target_bps = grown(self.target_bps, step, throughput_bps)
        elif self.fraction > MUCH and now - self._decreased_at >= DECREASE_INTERVAL_S + rtt_s:
            self.target_bps *= 1 - 0.5 * self.fraction
            if throughput_bps is not None:
                self.target_bps = min(self.target_bps, max(throughput_bps, MIN_SHARE * self.target_bps))
            self._decreased_at = now
        return self.target_bps

    def probed(self, bps: float) -> None:
        """Take the result of a probe: so much was shown to fit."""
        self.target_bps = max(self.target_bps, bps)
