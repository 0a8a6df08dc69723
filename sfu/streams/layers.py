"""Which layers are alive, and which one a receiver gets whose link nobody estimates: less when packets are lost.

Receivers that give transport-wide feedback are served by `sfu.rooms.downlink` instead of the ladder here.
"""

from collections.abc import Sequence
from typing import Protocol

ALIVE_S = 1.5
"""A layer without packets for this long is not being sent."""

BAD_LOSS = 0.10
GOOD_LOSS = 0.02
STEP_UP_AFTER_S = 12.0
MAX_STEP_UP_AFTER_S = 30.0
"""The wait doubles with each step up that failed, but nobody is left without a picture for longer than this."""
STEP_DOWN_AFTER_S = 1.5
"""Loss must stay for this long before the next step down: a step needs time to show its effect."""


class LossLadder:
    """How many layers below the best one subscriber is kept, from the loss that it reports.

    Step 0 is the best layer; each step takes one layer less; the step after the lowest layer is no video at all.
    """

    __slots__ = ("_bad_until", "_good_since", "_stepped_at", "_stepped_up", "step")

    def __init__(self) -> None:
        self.step = 0
        self._good_since: float | None = None
        self._stepped_at = float("-inf")
        self._stepped_up = False
        self._bad_until = STEP_UP_AFTER_S

    def reported(self, fraction_lost: float, now: float, layers: int) -> bool:
        """Note a report (0..1 lost) of a subscription with this many layers; return True if the step changed."""
        if fraction_lost > BAD_LOSS:
            self._good_since = None
            if self.step < layers and now - self._stepped_at > STEP_DOWN_AFTER_S:
                if self._stepped_up and now - self._stepped_at < 2 * self._bad_until:
                    self._bad_until = min(MAX_STEP_UP_AFTER_S, self._bad_until * 2)  # the step up failed: wait longer
                self.step += 1
                self._stepped_at = now
                self._stepped_up = False
                return True
        elif fraction_lost < GOOD_LOSS:
            if self._good_since is None:
                self._good_since = now
            elif self.step and now - max(self._good_since, self._stepped_at) > self._bad_until:
                self._step_up(now)
                return True
        else:
            self._good_since = None
        return False

    def retry(self, now: float) -> bool:
        """Return True, one step up, when nothing has been sent for long enough: without packets no report comes."""
        if not self.step or now - self._stepped_at <= self._bad_until:
            return False
        self._step_up(now)
        return True

    def _step_up(self, now: float) -> None:
        self.step -= 1
        self._stepped_at = now
        self._stepped_up = True
        self._good_since = None


class Living(Protocol):
    """A layer, as far as it matters whether it is being sent."""

    rid: str
    last_packet_at: float


def living(layers: Sequence[Living], wished: str | None, now: float) -> list[int]:
    """Return the positions of the layers that are being sent, best first, none better than the wished RID's.

    When none at or below the wish lives, the worst one above it is all there is.
    """
    alive = [position for position, layer in enumerate(layers) if now - layer.last_packet_at < ALIVE_S]
    best = next((position for position, layer in enumerate(layers) if layer.rid == wished), 0) if wished else 0
    return [position for position in alive if position >= best] or alive[-1:]


def choose(layers: Sequence[Living], wished: str | None, step: int, now: float) -> int | None:
    """Return the position of the layer to forward, or None for none, where no estimate of the link says more.

    `wished` is a RID or None for the best; `step`, from `LossLadder`, says how many layers less it is to be.
    """
    alive = living(layers, wished, now)
    if not alive:
        return None
    target = alive[0] + step
    if target >= len(layers):
        return None if step else alive[-1]
    below = [position for position in alive if position >= target]
    return below[0] if below else alive[-1]
