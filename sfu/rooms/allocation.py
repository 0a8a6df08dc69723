"""Who gets which layer within a bitrate: everybody something first, then the most important ones more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEADROOM = 1.1
"""A layer above the present one has to fit with this margin: a switch costs a keyframe, and must last."""
KEPT_S = 8.0
"""A layer that is lost again within this time after it was reached was too much."""
FIRST_PAUSE_S, LAST_PAUSE_S = 6.0, 48.0
LENIENCE = 0.85
"""The lowest layer that flows is kept although it fits just so badly: the next thing less is no picture."""


@dataclass(slots=True, frozen=True)
class Demand:
    """What one video subscription could take."""

    layers_bps: Sequence[float]
    """Bitrates of the living layers, best first."""
    present: int | None
    """Position of the layer that flows now; None for none."""
    may_rise: bool = True
    """Whether a better layer than the present one may be chosen (`Patience`)."""
    priority: int = 0
    """Smaller is more important: a shared screen, who speaks or was chosen, everybody else."""


class Patience:
    """When one subscription may be raised: a layer that could not be kept is not tried again at once."""

    __slots__ = ("_again_at", "_pause_s", "_raised_at")

    def __init__(self) -> None:
        self._raised_at = float("-inf")
        self._again_at = float("-inf")
        self._pause_s = FIRST_PAUSE_S

    def may_rise(self, now: float) -> bool:
        """Return whether a better layer than the present one may be chosen."""
        return now >= self._again_at

    def changed(self, before: int | None, after: int | None, now: float) -> None:
        """Note a change of layer (positions, best first; None for none)."""
        worst = 1 << 16
        if (worst if after is None else after) < (worst if before is None else before):
            self._raised_at = now
        elif now - self._raised_at < KEPT_S:
            self._again_at = now + self._pause_s
            self._pause_s = min(LAST_PAUSE_S, 2 * self._pause_s)
        elif now - self._raised_at > LAST_PAUSE_S:
            self._pause_s = FIRST_PAUSE_S


def allocate(demands: Sequence[Demand], budget_bps: float) -> list[int | None]:
    """Return for each demand the position of its layer, or None for none, within `budget_bps` (audio taken off).

    Everybody gets the lowest layer in the order of importance, as far as it goes; then, in the same order, each is
    raised as far as possible.
    """
    order = sorted(range(len(demands)), key=lambda number: demands[number].priority)
    chosen: list[int | None] = [None] * len(demands)
    left = budget_bps
    for number in order:
        demand = demands[number]
        if not demand.layers_bps:
            continue
        lowest = len(demand.layers_bps) - 1
        if _cost(demand, lowest) <= left:
            chosen[number] = lowest
            left -= demand.layers_bps[lowest]
    for number in order:
        demand = demands[number]
        given = chosen[number]
        if given is None:
            continue
        held = demand.layers_bps[given]
        best = 0 if demand.may_rise else (given if demand.present is None else min(given, demand.present))
        for position in range(best, given):
            if _cost(demand, position) <= left + held:
                chosen[number] = position
                left += held - demand.layers_bps[position]
                break
    return chosen


def wanted_bps(demands: Sequence[Demand]) -> float:
    """Return what the best layers of all demands would take, with the margin that a switch to them needs."""
    return sum(demand.layers_bps[0] * HEADROOM for demand in demands if demand.layers_bps)


def _cost(demand: Demand, position: int) -> float:
    bps, present = demand.layers_bps[position], demand.present
    if present is None or position < present:
        return bps * HEADROOM
    return bps * (LENIENCE if position == len(demand.layers_bps) - 1 else 1.0)
