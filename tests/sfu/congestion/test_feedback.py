"""Arrivals between two transport-wide feedback messages."""

from sfu.congestion.feedback import ArrivalRecorder
from sfu.wire import twcc


def test_collects_arrivals_over_the_wrap_and_reports_each_once() -> None:
    recorder = ArrivalRecorder()
    for number, sequence in enumerate((65_534, 65_535, 0, 2)):
        recorder.received(sequence, 1.0 + number / 1000)
    assert recorder.poll(0.01) is None
    report = recorder.poll(1.2)
    assert report is not None
    begin, arrivals = report
    assert begin is None
    assert [sequence & 0xFFFF for sequence in sorted(arrivals)] == [65_534, 65_535, 0, 2]
    assert recorder.poll(1.4) is None
    recorder.received(3, 1.35)
    assert recorder.poll(1.4) == (65_536 + 3, {65_536 + 3: 1_350_000})


def test_the_next_report_begins_where_the_last_one_ended_so_that_what_was_lost_between_is_told() -> None:
    recorder = ArrivalRecorder()
    recorder.received(10, 1.0)
    assert recorder.poll(1.2) == (None, {10: 1_000_000})
    recorder.received(14, 1.3)
    begin, arrivals = recorder.poll(1.4) or (None, {})
    assert begin == 11
    ((first, portion),) = twcc.portions(arrivals, begin)
    _, _, packets = twcc.parse(twcc.build(1, 2, 3, first, portion)[12:])
    assert [(number, arrived is None) for number, arrived in packets] == [
        (11, True),
        (12, True),
        (13, True),
        (14, False),
    ]
