"""What goes wrong in the media plane, by whose fault.

SfuError
├── MalformedPacketError   the peer sent bytes that make no sense: drop, count, go on
├── NegotiationError       the peer's session description cannot be agreed to; `code` is stable
└── UsageError             our own caller broke a rule
"""


class SfuError(Exception):
    """Any error of the media plane."""


class MalformedPacketError(SfuError):
    """Bytes from the network that are truncated, nonsense, unauthentic or replayed."""


class NegotiationError(SfuError):
    """A session description that cannot be agreed to."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class UsageError(SfuError):
    """A mistake of the caller, not of the network."""
