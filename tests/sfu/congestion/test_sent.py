"""What was sent, and what feedback makes of it."""

from sfu.congestion.sent import MAX_RUNS, PacketResult, SentLog


def test_feedback_tells_the_fate_of_each_packet_once() -> None:
    log = SentLog()
    log.runs.append((1, 2, 1000, 400, 1.0, 0))  # as the hot path notes a segmented message
    log.next = 3
    assert log.sent(700, 1.1, probe=3) == 3
    results = log.acknowledged(64_000, [(1, 0), (2, None)])
    assert results == [PacketResult(1, 1000, 1.0, 0.064, 0), PacketResult(2, 400, 1.0, None, 0)]
    assert log.acknowledged(64_000, [(2, 500), (3, 1000)]) == [PacketResult(3, 700, 1.1, 0.065, 3)]


def test_numbers_that_were_never_sent_are_nothing() -> None:
    log = SentLog()
    log.sent(100, 0.0)
    assert log.acknowledged(0, [(1, 0), (2, 0), (60_000, 0)]) == [PacketResult(1, 100, 0.0, 0.0, 0)]


def test_numbers_go_on_over_the_border_of_sixteen_bits() -> None:
    log = SentLog()
    for number in range(1, 70_000, 10):
        for _ in range(10):
            log.sent(100, number / 1000)
        (*_, last) = log.acknowledged(0, [((number + each) & 0xFFFF, each) for each in range(10)])
        assert last.sequence == number + 9


def test_reference_times_go_on_over_the_border_of_twenty_four_bits() -> None:
    log = SentLog()
    log.sent(100, 0.0)
    log.sent(100, 0.0)
    (first,) = log.acknowledged((0x7FFFFF) * 64_000, [(1, 0)])
    (second,) = log.acknowledged(-0x800000 * 64_000, [(2, 0)])
    assert first.arrived_at is not None
    assert second.arrived_at is not None
    assert round(second.arrived_at - first.arrived_at, 6) == 0.064


def test_what_is_never_answered_is_forgotten() -> None:
    log = SentLog()
    for number in range(MAX_RUNS + 10):
        log.sent(100, number / 1000)
    assert len(log.runs) == MAX_RUNS
    assert [each.sequence for each in log.acknowledged(0, [(5, 0), (11, 0), (12, 0)])] == [11, 12]


def test_what_no_message_that_was_read_speaks_of_is_counted_in_bytes() -> None:
    log = SentLog()
    for number in range(10):
        log.sent(100 + number, number / 100)
    log.acknowledged(0, [(1, 0), (2, 0)])
    assert log.skipped_bytes == 0
    log.acknowledged(0, [(6, 0), (7, 0)])
    assert log.skipped_bytes == 102 + 103 + 104
    log.acknowledged(0, [(8, 0)])
    assert log.skipped_bytes == 0
