"""When to ask a publisher for a keyframe: on demand, but never in a storm (RFC 4585 section 6.3.1)."""

MINIMUM_INTERVAL_S = 0.5
"""At most one request in this time per layer, however many subscribers ask: keyframes are expensive."""


class KeyframeRequests:
    """The wish for a keyframe of one layer. It stays until a keyframe arrives, and is repeated meanwhile."""

    __slots__ = ("_last_request", "wanted")

    def __init__(self) -> None:
        self.wanted = False
        self._last_request = float("-inf")

    def want(self) -> None:
        """Somebody needs a keyframe."""
        self.wanted = True

    def arrived(self) -> None:
        """A keyframe began."""
        self.wanted = False

    def poll(self, now: float) -> bool:
        """Return True when a PLI is to be sent now."""
        if not self.wanted or now - self._last_request < MINIMUM_INTERVAL_S:
            return False
        self._last_request = now
        return True
