"""Which lost packets to ask a publisher for again (Generic NACK, RFC 4585 section 6.2.1)."""

from dataclasses import dataclass

MAX_GAP = 256
"""A longer hole is a keyframe's business, not that of NACK."""

MAX_TRIES = 8
"""After so many unanswered requests the sender has surely dropped the packet."""

REORDERING_S = 0.005
"""A packet overtaken by others usually arrives within this time; asking before wastes bandwidth."""

MINIMUM_RETRY_S = 0.02


@dataclass(slots=True)
class _Missing:
    ask_at: float
    tries: int = 0


class NackGenerator:
    """Loss detector for one received RTP stream.

    Sans-IO: feed it with `received`, ask `poll` what is due.
    """

    __slots__ = ("_missing", "_newest")

    def __init__(self) -> None:
        self._newest: int | None = None
        self._missing: dict[int, _Missing] = {}

    @property
    def missing(self) -> bool:
        """Whether anything is being waited for."""
        return bool(self._missing)

    def received(self, index: int, now: float) -> bool:
        """Note an arrival by packet index; return True when the hole before it is too long to be repaired."""
        newest = self._newest
        if newest is None:
            self._newest = index
            return False
        if index == newest + 1:
            self._newest = index
            return False
        if index <= newest:
            self._missing.pop(index, None)
            return False
        self._newest = index
        if index - newest > MAX_GAP:
            self._missing.clear()
            return True
        ask_at = now + REORDERING_S
        for lost in range(newest + 1, index):
            self._missing[lost] = _Missing(ask_at)
        while len(self._missing) > MAX_GAP:
            del self._missing[next(iter(self._missing))]
        return False

    def poll(self, now: float, rtt_s: float) -> tuple[list[int], bool]:
        """Return the packet indices to request now, oldest first, and whether one was given up for good.

        `rtt_s` is the round trip to the publisher: the same packet is not asked for again before an answer could
        be here.
        """
        if not self._missing:
            return [], False
        due: list[int] = []
        gave_up = False
        retry = max(MINIMUM_RETRY_S, rtt_s * 1.2)
        for index, missing in list(self._missing.items()):
            if missing.ask_at > now:
                continue
            if missing.tries >= MAX_TRIES:
                del self._missing[index]
                gave_up = True
                continue
            missing.tries += 1
            missing.ask_at = now + retry
            due.append(index)
        return due, gave_up
