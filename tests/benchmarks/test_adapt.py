"""The quality gate of adaptation: estimator, allocation and pacing on simulated links, held against a baseline.

A change that makes a figure worse fails here. One that makes it better, or that trades one for another with a reason,
writes the baseline anew:  parvis bench adapt --json tests/benchmarks/adapt-baseline.json
"""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.simulation.scenarios import SCENARIOS, simulate
from parvis.cli import main

BASELINE = Path(__file__).with_name("adapt-baseline.json")
SLACK = {
    "first_frame_s": 0.1,
    "link_use": 0.05,
    "queue_ms_mean": 5.0,
    "queue_ms_p95": 15.0,
    "loss_percent": 0.5,
    "freezes": 2.0,
    "frozen_s": 1.0,
    "adapt_s": 0.5,
    "recover_s": 1.5,
}
"""How much worse a figure may be: another order of floating-point sums, not another behaviour."""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("adapt")
    arguments = ["bench", "adapt", "--json", str(folder / "result.json"), "--plot", str(folder / "plot.png")]
    assert main(arguments) == 0
    assert (folder / "plot.png").stat().st_size > 1000
    measured: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return measured


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_no_scenario_is_worse_than_the_baseline(name: str, result: dict[str, Any]) -> None:
    before = json.loads(BASELINE.read_text())["scenarios"][name]
    now = result["scenarios"][name]
    worse = {}
    for figure, slack in SLACK.items():
        if before[figure] is None:
            continue
        assert now[figure] is not None, figure
        change = now[figure] - before[figure]
        if (-change if figure == "link_use" else change) > slack:
            worse[figure] = (before[figure], now[figure])
    assert worse == {}


def test_the_same_seed_gives_the_same_run() -> None:
    assert simulate("step-lossy", 3) == simulate("step-lossy", 3)
    assert simulate("step-lossy", 3) != simulate("step-lossy", 4)
