"""Arrivals between two transport-wide feedback messages."""

from sfu.congestion.feedback import ArrivalRecorder


def test_collects_arrivals_over_the_wrap_and_reports_each_once() -> None:
    recorder = ArrivalRecorder()
    for number, sequence in enumerate((65_534, 65_535, 0, 2)):
        recorder.received(sequence, 1.0 + number / 1000)
    assert recorder.poll(0.01) is None
    arrivals = recorder.poll(1.2)
    assert arrivals is not None
    assert [sequence & 0xFFFF for sequence in sorted(arrivals)] == [65_534, 65_535, 0, 2]
    assert recorder.poll(1.4) is None
    recorder.received(3, 1.35)
    assert recorder.poll(1.4) == {65_536 + 3: 1_350_000}
