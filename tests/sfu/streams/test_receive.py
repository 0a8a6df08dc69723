"""Reception statistics (RFC 3550 A.3)."""

from sfu.streams.receive import ReceiveStatistics


def test_reports_the_fraction_lost_since_the_last_report() -> None:
    statistics = ReceiveStatistics(90_000)
    for index in range(10):
        statistics.packet(index, index * 3000, 100, index / 30)
    assert statistics.report(1.0)[:3] == (0, 0, 9)
    for index in (10, 12, 14, 15):
        statistics.packet(index, index * 3000, 100, index / 30)
    fraction, lost, highest, *_ = statistics.report(2.0)
    assert fraction == (2 << 8) // 6
    assert (lost, highest) == (2, 15)


def test_even_arrivals_have_no_jitter_and_late_ones_do() -> None:
    even = ReceiveStatistics(48_000)
    for index in range(50):
        even.packet(index, index * 960, 50, index * 0.02)
    assert even.report(1.0)[3] == 0
    uneven = ReceiveStatistics(48_000)
    for index in range(50):
        uneven.packet(index, index * 960, 50, index * 0.02 + (0.01 if index % 2 else 0))
    assert uneven.report(1.0)[3] > 300
