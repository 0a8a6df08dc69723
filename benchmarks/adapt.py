"""`parvis bench adapt`: what becomes of a viewer on a changing link, by our own estimator and allocation, simulated.

Time is simulated, so the same commit gives the same figures on every machine; `tests/benchmarks/test_adapt.py` holds
them against a baseline.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.simulation.scenarios import SCENARIOS, simulate, timeline

DESCRIPTION = "adaptation of a viewer to its link, in a deterministic simulation"
QUICK_SEEDS, SEEDS = 1, 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), action="append", help="only this one; may be repeated")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Simulate; return the figures of each scenario, as means over seeds."""
    names = arguments.scenario or list(SCENARIOS)
    seeds = range(1, 1 + (QUICK_SEEDS if arguments.quick else SEEDS))
    return {
        "seeds": len(seeds),
        "scenarios": {name: _mean([asdict(simulate(name, s)) for s in seeds]) for name in names},
    }


def _mean(reports: list[dict[str, float | None]]) -> dict[str, float | None]:
    means: dict[str, float | None] = {}
    for key in reports[0]:
        values = [value for report in reports if (value := report[key]) is not None]
        means[key] = round(sum(values) / len(values), 3) if values else None
    return means


def plot(result: dict[str, Any], path: Path) -> None:
    """Draw capacity, estimate and what arrives over time, for each scenario."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(result["scenarios"])
    figure, axes = pyplot.subplots(len(names), 1, figsize=(9, 2.2 * len(names)), squeeze=False)
    for name, (axis,) in zip(names, axes, strict=True):
        points = timeline(name)
        at = [point.at for point in points]
        axis.plot(at, [min(point.free_bps, 4e6) / 1e3 for point in points], color="#999999", label="free")
        axis.plot(at, [min(point.target_bps, 4e6) / 1e3 for point in points], color="#b03030", label="estimate")
        axis.plot(at, [point.layer_bps / 1e3 for point in points], color="#1f5fa8", label="layer")
        axis.set_title(name, fontsize=9)
        axis.set_ylabel("kbit/s")
    axes[0][0].legend(fontsize=8)
    axes[-1][0].set_xlabel("s")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
