"""What a bad network does to packets, as a pure core: same seed and same packets, same fate."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields


class ProfileError(ValueError):
    """A profile asks for something impossible; the message names the field."""


@dataclass(slots=True, frozen=True)
class Bursts:
    """Loss in bursts: the two-state chain of Gilbert and Elliott. All values are probabilities per packet."""

    enter: float
    """From the good state to the bad one."""
    leave: float
    """From the bad state to the good one; bursts are 1 / leave packets long on average."""
    loss_bad: float = 1.0
    loss_good: float = 0.0

    @classmethod
    def of(cls, loss: float, mean_length: float) -> Bursts:
        """Return the chain that loses this share (0..1) in runs of `mean_length` packets on average."""
        leave = 1 / mean_length
        return cls(enter=loss * leave / (1 - loss), leave=leave)


@dataclass(slots=True, frozen=True)
class Profile:
    """One direction of a link. Probabilities are 0 to 1; rates are the business of `tc … tbf`."""

    loss: float = 0.0
    bursts: Bursts | None = None
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    """Added delay, uniform from 0 to this; order is kept."""
    reorder: float = 0.0
    """Share of packets that are held back by `reorder_ms`, so that later ones overtake them."""
    reorder_ms: float = 20.0
    duplicate: float = 0.0
    mtu: int | None = None
    """Larger IP packets are dropped, as behind a tunnel that tells nobody."""

    def __post_init__(self) -> None:
        for name in ("loss", "reorder", "duplicate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ProfileError(f"{name} is a probability from 0 to 1, not {getattr(self, name)}")
        for name in ("delay_ms", "jitter_ms", "reorder_ms"):
            if getattr(self, name) < 0:
                raise ProfileError(f"{name} cannot be negative")
        if self.bursts is not None:
            for field in fields(self.bursts):
                if not 0 <= getattr(self.bursts, field.name) <= 1:
                    raise ProfileError(f"bursts.{field.name} is a probability from 0 to 1")


@dataclass(slots=True)
class Tally:
    """What happened to the packets of one direction so far."""

    packets: int = 0
    bytes: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    too_big: int = 0


class Impairment:
    """Decides over the packets of one direction.

    Every packet draws the same number of random values whatever its fate, so that the decision over packet number n
    depends on the seed and on n alone, and a profile changed half way does not shift what follows.
    """

    __slots__ = ("_bad", "_last_due", "_random", "profile", "tally")

    def __init__(self, profile: Profile, seed: int) -> None:
        self.profile = profile
        self.tally = Tally()
        self._random = random.Random(seed)
        self._bad = False
        self._last_due = float("-inf")

    def decide(self, size: int, now: float) -> list[float]:
        """Return when (seconds, same clock as `now`) a packet of `size` bytes arrives: never, once or twice."""
        profile, tally = self.profile, self.tally
        lose, move, jitter, hold, double = (self._random.random() for _ in range(5))
        tally.packets += 1
        tally.bytes += size
        lost = lose < profile.loss
        if profile.bursts is not None:
            bursts = profile.bursts
            self._bad = move >= bursts.leave if self._bad else move < bursts.enter
            # the same draw serves both kinds of loss: they exclude each other in practice
            lost = lost or lose < (bursts.loss_bad if self._bad else bursts.loss_good)
        if profile.mtu is not None and size > profile.mtu:
            tally.too_big += 1
            return []
        if lost:
            tally.lost += 1
            return []
        due = now + (profile.delay_ms + jitter * profile.jitter_ms) / 1000
        if hold < profile.reorder:
            tally.reordered += 1
            due += profile.reorder_ms / 1000
        else:
            due = self._last_due = max(due, self._last_due)
        if double < profile.duplicate:
            tally.duplicated += 1
            return [due, due]
        return [due]
