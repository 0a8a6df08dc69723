"""Whether a queue is growing: the slope of the delay over recent groups (trendline of Google congestion control).

Carlucci et al., "Analysis and design of the Google congestion control for web real-time communication", 2016;
constants as in libwebrtc.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

WINDOW = 20
"""Groups that the slope is fitted to."""
EXACT_EVERY = 256
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

    __slots__ = (
        "_accumulated", "_count", "_first", "_fitted", "_last_slope", "_over_since", "_points", "_smoothed",
        "_threshold", "_updated_at", "_x", "_xx", "_xy", "_y", "usage",
    )  # fmt: skip

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
        self._fitted = 0
        self._x = self._y = self._xx = self._xy = 0.0

    def update(self, departures_s: float, arrivals_s: float, arrived_at: float) -> Usage:
        """Take the deltas of two groups and the arrival of the later one; return the state."""
        if self._first is None:
            self._first = arrived_at
        self._count = min(MAX_WEIGHT, self._count + 1)
        self._accumulated += (arrivals_s - departures_s) * 1000
        self._smoothed = SMOOTHING * self._smoothed + (1 - SMOOTHING) * self._accumulated
        slope = self._fit((arrived_at - self._first) * 1000)
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

    def _fit(self, x: float) -> float:
        """Add a point; return the least-squares slope of delay over time (the last one until the window is full)."""
        points, y = self._points, self._smoothed
        self._fitted += 1
        if len(points) == WINDOW and self._fitted % EXACT_EVERY:
            old_x, old_y = points[0]
            self._x -= old_x
            self._y -= old_y
            self._xx -= old_x * old_x
            self._xy -= old_x * old_y
        points.append((x, y))
        if self._fitted % EXACT_EVERY:
            self._x += x
            self._y += y
            self._xx += x * x
            self._xy += x * y
        else:  # sums that are only ever changed lose digits
            self._x = sum(each for each, _ in points)
            self._y = sum(each for _, each in points)
            self._xx = sum(each * each for each, _ in points)
            self._xy = sum(one * other for one, other in points)
        count = len(points)
        spread = count * self._xx - self._x * self._x
        if count < WINDOW or spread <= 0:
            return self._last_slope
        return (count * self._xy - self._x * self._y) / spread

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
