"""Whether a queue is growing: the slope of the delay over recent groups (trendline of Google congestion control).

Carlucci et al., "Analysis and design of the Google congestion control for web real-time communication", 2016;
constants as in libwebrtc.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

WINDOW = 20
"""Groups that the slope is fitted to."""
SMOOTHING = 0.9
GAIN = 4.0
MAX_WEIGHT = 60
"""The slope of few groups says little: it is multiplied by their number, up to this."""
FIRST_THRESHOLD_MS = 12.5
MIN_THRESHOLD_MS, MAX_THRESHOLD_MS = 6.0, 600.0
RISE, FALL = 0.0087, 0.039
"""How fast the threshold follows the signal when it is above, and below."""
OUTLIER_MS = 15.0
OVERUSE_S = 0.010
"""The signal has to stay above the threshold for so long."""

Usage = Literal["normal", "over", "under"]


class DelayTrend:
    """Fed with the deltas of groups, it says whether the path is used too much (its queue grows), or too little."""

    __slots__ = ("_accumulated", "_count", "_first", "_last_slope", "_over_since", "_points", "_smoothed",
                 "_threshold", "_updated_at", "usage")  # fmt: skip

    def __init__(self) -> None:
        self.usage: Usage = "normal"
        self._points: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._accumulated = 0.0
        self._smoothed = 0.0
        self._count = 0
        self._first: float | None = None
        self._threshold = FIRST_THRESHOLD_MS
        self._updated_at: float | None = None
        self._over_since: float | None = None
        self._last_slope = 0.0

    def update(self, departures_s: float, arrivals_s: float, arrived_at: float) -> Usage:
        """Take the deltas of two groups and the arrival of the later one; return the state."""
        if self._first is None:
            self._first = arrived_at
        self._count = min(MAX_WEIGHT, self._count + 1)
        self._accumulated += (arrivals_s - departures_s) * 1000
        self._smoothed = SMOOTHING * self._smoothed + (1 - SMOOTHING) * self._accumulated
        self._points.append(((arrived_at - self._first) * 1000, self._smoothed))
        slope = self._slope() if len(self._points) == WINDOW else self._last_slope
        signal = self._count * slope * GAIN
        if signal > self._threshold:
            if self._over_since is None:
                self._over_since = arrived_at - departures_s / 2
            elif arrived_at - self._over_since > OVERUSE_S and slope >= self._last_slope:
                self.usage = "over"
        else:
            self._over_since = None
            self.usage = "under" if signal < -self._threshold else "normal"
        self._last_slope = slope
        self._adapt(abs(signal), arrived_at)
        return self.usage

    def _slope(self) -> float:
        """Return the least-squares slope of delay over time."""
        points = self._points
        mean_x = sum(x for x, _ in points) / len(points)
        mean_y = sum(y for _, y in points) / len(points)
        spread = sum((x - mean_x) ** 2 for x, _ in points)
        if not spread:
            return self._last_slope
        return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread

    def _adapt(self, signal: float, now: float) -> None:
        """Let the threshold follow, so that a competing flow does not starve us; leave out what is far off."""
        if self._updated_at is None:
            self._updated_at = now
        if signal <= self._threshold + OUTLIER_MS:
            elapsed_ms = min(100.0, (now - self._updated_at) * 1000)
            follow = FALL if signal < self._threshold else RISE
            changed = self._threshold + follow * (signal - self._threshold) * elapsed_ms
            self._threshold = max(MIN_THRESHOLD_MS, min(MAX_THRESHOLD_MS, changed))
        self._updated_at = now
