"""When the frames of a track were captured, smooth enough to be listened to.

A pipe's sender reports tie its RTP timestamps to the server's wall clock anew every second. Those of a publisher
wander by some milliseconds, and following each of them would tear small holes into the sound. So a track keeps one
offset between its RTP clock and the wall clock, and moves it only when the reports say for long that it is wrong, or
that it is very wrong at once. Drift between a sound card and the wall clock (some 100 ppm) is followed in this way.
"""

from __future__ import annotations

AT_ONCE_S = 0.020
"""An error of this size is put right with the next frame: the media worker has learnt better."""
LASTING_S = 0.008
"""A smaller one is put right once it is the average of `AVERAGED_S`."""
AVERAGED_S = 10.0


class TrackClock:
    """Wall time of the RTP timestamps of one track."""

    __slots__ = ("_error_s", "_last", "_offset_s", "_rate")

    def __init__(self, clock_rate: int) -> None:
        self._rate = clock_rate
        self._offset_s: float | None = None
        self._error_s = 0.0
        self._last = 0

    def at_s(self, timestamp: int, reported_s: float) -> float:
        """Return the Unix time of an unwrapped timestamp, of which the pipe's reports say `reported_s`."""
        reported_offset = reported_s - timestamp / self._rate
        if self._offset_s is None:
            self._offset_s = reported_offset
        error = reported_offset - self._offset_s
        elapsed = min(AVERAGED_S, max(0.0, (timestamp - self._last) / self._rate))
        self._last = timestamp
        self._error_s += (error - self._error_s) * elapsed / AVERAGED_S
        if abs(error) >= AT_ONCE_S or abs(self._error_s) >= LASTING_S:
            self._offset_s = reported_offset if abs(error) >= AT_ONCE_S else self._offset_s + self._error_s
            self._error_s = 0.0
        return self._offset_s + timestamp / self._rate
