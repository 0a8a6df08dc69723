"""Links that people really have, and what becomes of a visit on them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from benchmarks.simulation.clock import Clock
from benchmarks.simulation.link import Link, LinkPlan
from benchmarks.simulation.sender import AUDIO_BPS, LAYERS_BPS, Sender
from benchmarks.simulation.viewer import freezes

MEGA = 1_000_000.0
SAMPLE_S = 0.05

SCENARIOS: dict[str, tuple[LinkPlan, float]] = {
    "wide": (LinkPlan([(0, 20 * MEGA)]), 30),
    "steady-1M": (LinkPlan([(0, MEGA)]), 40),
    "steady-300k": (LinkPlan([(0, 0.3 * MEGA)]), 40),
    "poor-150k": (LinkPlan([(0, 0.15 * MEGA)], delay_s=0.08), 40),
    "step-3M-300k-3M": (LinkPlan([(0, 3 * MEGA), (20, 0.3 * MEGA), (50, 3 * MEGA)]), 90),
    "step-lossy": (LinkPlan([(0, 3 * MEGA), (20, 0.3 * MEGA), (50, 3 * MEGA)], loss=0.02, jitter_s=0.005), 90),
    "loss-5": (LinkPlan([(0, 3 * MEGA)], loss=0.05), 40),
    "jitter-20ms": (LinkPlan([(0, 2 * MEGA)], jitter_s=0.02), 40),
    "competing": (LinkPlan([(0, 2 * MEGA)], competing=[(15, 35, 1.2 * MEGA)]), 60),
    "shallow-queue": (LinkPlan([(0, MEGA)], queue_s=0.06), 40),
    "deep-queue": (LinkPlan([(0, 0.6 * MEGA)], queue_s=1.5), 40),
    "satellite": (LinkPlan([(0, 2 * MEGA)], delay_s=0.3), 50),
}
"""Name: the link towards the viewer, and how long it is watched (seconds)."""


@dataclass(slots=True, frozen=True)
class Report:
    """What became of one viewer."""

    first_frame_s: float
    link_use: float
    """Bytes received over those of the best layer that what is free of the capacity carries, with audio."""
    queue_ms_mean: float
    queue_ms_p95: float
    loss_percent: float
    freezes: int
    frozen_s: float
    adapt_s: float | None
    """After the capacity fell: until the queue was short again."""
    recover_s: float | None
    """After it rose: until the best layer that fits flowed."""


@dataclass(slots=True, frozen=True)
class Point:
    """The state at one moment."""

    at: float
    free_bps: float
    target_bps: float
    layer: int | None
    queue_s: float

    @property
    def layer_bps(self) -> float:
        """Bitrate of the layer that flows."""
        return 0.0 if self.layer is None else LAYERS_BPS[self.layer]


def simulate(name: str, seed: int = 1) -> Report:
    """Run one scenario."""
    plan, seconds = SCENARIOS[name]
    points, sender, down = _run(name, seed)
    waits = sorted(point.queue_s for point in points)
    viewer = sender.viewer
    count, frozen = freezes(viewer.shown)
    usable = sum(_usable_bps(point.free_bps) * SAMPLE_S for point in points) / 8
    changes = [at for at, _ in plan.capacity_bps[1:]]
    fall, rise = (changes[0], changes[1]) if len(changes) == 2 else (None, None)
    return Report(
        first_frame_s=round(viewer.shown[0][0], 3) if viewer.shown else seconds,
        link_use=round(viewer.received_bytes / usable, 3),
        queue_ms_mean=round(1000 * sum(waits) / len(waits), 1),
        queue_ms_p95=round(1000 * waits[int(len(waits) * 0.95)], 1),
        loss_percent=round(100 * down.dropped / (sender.log.next - 1), 2),
        freezes=count,
        frozen_s=round(frozen, 2),
        adapt_s=None if fall is None else _settled(points, fall),
        recover_s=None if rise is None else _reached(points, rise),
    )


def timeline(name: str, seed: int = 1) -> list[Point]:
    """Run one scenario; return its state every 50 ms."""
    return _run(name, seed)[0]


def _run(name: str, seed: int) -> tuple[list[Point], Sender, Link]:
    plan, seconds = SCENARIOS[name]
    clock, random = Clock(), Random(seed)
    down = Link(clock, plan, random)
    up = Link(clock, LinkPlan([(0, 5 * MEGA)], delay_s=plan.delay_s), random)
    sender = Sender(clock, down, up, random)
    points: list[Point] = []

    def sample() -> None:
        free_bps = down.free_bps(clock.now)
        points.append(Point(clock.now, free_bps, sender.estimator.target_bps, sender.layer, down.queue_s))
        clock.after(SAMPLE_S, sample)

    clock.after(SAMPLE_S, sample)
    clock.run(seconds)
    return points, sender, down


def _usable_bps(capacity_bps: float) -> float:
    return next((bps + AUDIO_BPS for bps in LAYERS_BPS if bps + AUDIO_BPS <= capacity_bps), AUDIO_BPS)


def _settled(points: list[Point], since: float) -> float | None:
    """Return after how long the queue stayed under 50 ms for a second."""
    short_since: float | None = None
    for point in points:
        if point.at < since:
            continue
        if point.queue_s > 0.05:
            short_since = None
        elif short_since is None:
            short_since = point.at
        elif point.at - short_since >= 1.0:
            return round(short_since - since, 2)
    return None


def _reached(points: list[Point], since: float) -> float | None:
    """Return after how long the best layer flowed."""
    return next((round(point.at - since, 2) for point in points if point.at >= since and point.layer == 0), None)
