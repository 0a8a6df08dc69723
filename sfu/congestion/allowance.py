"""How much of something somebody may do: a rate with room for a burst (the virtual scheduling of ITU-T I.371)."""


class Allowance:
    """A rate in units/s; `burst_s` seconds of it may be taken at once. What is refused costs nothing.

    Taking costs about 0.1 µs, so that it can stand before everything else that a datagram sets in motion.
    """

    __slots__ = ("_burst_s", "_due", "_seconds")

    def __init__(self, rate: float, burst_s: float) -> None:
        self._seconds = 1.0 / rate
        self._burst_s = burst_s
        self._due = 0.0

    def take(self, amount: float, now: float) -> bool:
        """Return whether this amount is allowed at this time, and take it if so."""
        due = self._due
        if due < now:
            due = now
        due += amount * self._seconds
        if due - now > self._burst_s:
            return False
        self._due = due
        return True
