"""How much somebody may do."""

from sfu.congestion.allowance import Allowance


def test_a_burst_passes_then_the_rate_and_what_is_refused_costs_nothing() -> None:
    allowance = Allowance(rate=100.0, burst_s=0.501)
    assert [allowance.take(10, 1000.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert not allowance.take(10, 1000.09)
    assert allowance.take(10, 1000.11)
    passed = sum(allowance.take(1, 1000.11 + step / 1000) for step in range(10_000))
    assert 990 <= passed <= 1050


def test_more_than_a_burst_is_never_allowed() -> None:
    assert not Allowance(rate=100.0, burst_s=0.5).take(51, 1000.0)
