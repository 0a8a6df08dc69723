"""The estimator's parts, each by itself; all together are held by the simulation (tests/benchmarks/test_adapt.py)."""

import pytest

from sfu.congestion.arrivals import ArrivalGroups
from sfu.congestion.delay import DelayControl
from sfu.congestion.estimator import MIN_BPS, Estimator
from sfu.congestion.loss import LossControl
from sfu.congestion.probe import Prober
from sfu.congestion.sent import PacketResult
from sfu.congestion.throughput import Delivery, Throughput
from sfu.congestion.trend import DelayTrend


def test_packets_of_a_burst_are_one_group_and_deltas_are_between_groups() -> None:
    groups = ArrivalGroups()
    times = [(0.000, 0.100), (0.002, 0.104), (0.020, 0.121), (0.021, 0.125), (0.040, 0.150)]
    deltas = [groups.add(sent, arrived) for sent, arrived in times]
    assert deltas[:4] == [None] * 4
    assert deltas[4] == (pytest.approx(0.019), pytest.approx(0.021))


def test_a_growing_delay_is_overuse_and_a_steady_one_is_not() -> None:
    growing, steady = DelayTrend(), DelayTrend()
    for number in range(60):
        growing.update(0.02, 0.023, number * 0.023)
        steady.update(0.02, 0.02 + (0.001 if number % 2 else -0.001), number * 0.02)
    assert growing.usage == "over"
    assert steady.usage == "normal"


def test_an_emptying_queue_is_underuse() -> None:
    trend = DelayTrend()
    for number in range(60):
        trend.update(0.02, 0.017, number * 0.017)
    assert trend.usage == "under"


def test_overuse_lowers_the_target_below_what_the_path_carries_and_not_below_what_there_was_to_send() -> None:
    control = DelayControl(1_000_000, 0.0)
    assert control.update("over", 500_000, 600_000, 0.05, 1.0) == 0.85 * 600_000
    idle = DelayControl(1_000_000, 0.0)
    assert idle.update("over", 40_000, None, 0.05, 1.0) == 0.85 * 1_000_000


def test_the_target_grows_only_as_far_as_what_arrives_supports() -> None:
    control = DelayControl(100_000, 0.0)
    for tick in range(1, 2000):
        control.update("normal", 200_000, None, 0.05, tick * 0.05)
    assert control.target_bps == 1.5 * 200_000 + 10_000


@pytest.mark.parametrize(("lost", "grows"), [(0, True), (5, None), (30, False)])
def test_much_loss_lowers_little_raises_and_what_is_between_holds(lost: int, grows: bool | None) -> None:
    control = LossControl(500_000, 0.0)
    for tick in range(1, 40):
        control.update(100, lost, 480_000, 0.05, tick * 0.1)
    if grows is None:
        assert control.target_bps == 500_000
    else:
        assert (control.target_bps > 500_000) is grows


def test_a_path_that_carries_less_than_is_sent_says_how_much() -> None:
    queueing, free = Delivery(), Delivery()
    for number in range(20):
        queueing.add(number * 0.01, number * 0.02, 1000)
        free.add(number * 0.01, 0.05 + number * 0.01, 1000)
    assert queueing.limited_bps == pytest.approx(20 * 8000 / (19 * 0.02))
    assert free.limited_bps is None


def test_throughput_follows_what_arrives() -> None:
    throughput = Throughput()
    for number in range(300):
        throughput.add(1250, number * 0.01)
    assert throughput.bps == pytest.approx(1_000_000, rel=0.02)


def test_a_probe_that_arrives_in_time_lifts_the_target_to_its_rate() -> None:
    estimator = Estimator(0.0)
    cluster = estimator.probe(5_000_000, 0.0)
    assert cluster is not None
    assert cluster.rate_bps == 900_000
    results = []
    at = 0.0
    while not cluster.complete:
        results.append(PacketResult(len(results), 500, at, at + 0.03, cluster.number))
        cluster.sent_bytes += 500
        cluster.sent_packets += 1
        at += 500 * 8 / 900_000
    assert estimator.feedback(results, at + 0.06) == pytest.approx(900_000, rel=0.01)
    assert estimator.probe(5_000_000, at + 0.1) is not None


def test_a_probe_through_a_narrow_place_shows_how_narrow_it_is() -> None:
    prober = Prober(300_000, 0.0)
    cluster = prober.poll(300_000, 5_000_000, 0.0)
    assert cluster is not None
    measured = None
    for number in range(6):
        cluster.sent_bytes += 500
        cluster.sent_packets += 1
        arrived_at = number * 500 * 8 / 400_000
        result = PacketResult(number, 500, number * 500 * 8 / 900_000, arrived_at, cluster.number)
        measured = measured or prober.arrived(result)
    assert measured == pytest.approx(0.95 * 400_000, rel=0.01)


def test_nobody_probes_for_what_is_not_wanted() -> None:
    prober = Prober(300_000, 0.0)
    assert prober.poll(300_000, 100_000, 0.0) is None
    assert prober.poll(300_000, 100_000, 5.0) is None


def test_feedback_that_makes_no_sense_leaves_a_positive_target() -> None:
    estimator = Estimator(0.0)
    for tick in range(200):
        lost = [PacketResult(tick * 30 + n, 1200, tick * 0.05, None, 0) for n in range(30)]
        estimator.feedback(lost, tick * 0.05 + 0.05)
    back_in_time = [PacketResult(9000 + n, 1200, 11 + n * 0.001, 5 - n * 0.1, 7) for n in range(30)]
    assert estimator.feedback(back_in_time, 12.0) >= MIN_BPS
