"""RTP timestamps on the server's wall clock."""

import pytest

from sfu.streams.clock import PeerClock, StreamClock


def test_two_streams_of_a_peer_with_a_wrong_clock_keep_their_exact_sync() -> None:
    peer = PeerClock()
    audio, video = StreamClock(peer, 48_000), StreamClock(peer, 90_000)
    peer.report(1000.0, 50_000.030)
    audio.report(1000.0, 7)
    peer.report(1000.5, 50_000.590)
    video.report(1000.5, 4_294_967_290)
    captured = 1003.0  # on the peer's clock
    at_audio = audio.wall_time(7 + 3 * 48_000)
    at_video = video.wall_time((4_294_967_290 + int(2.5 * 90_000)) & 0xFFFFFFFF)
    assert at_audio == pytest.approx(at_video, abs=1e-6)
    assert at_audio == pytest.approx(captured + 49_000.030, abs=1e-6)


def test_the_smallest_delay_of_the_last_minute_counts() -> None:
    peer = PeerClock()
    for second in range(100):
        peer.report(float(second), second + (0.020 if second == 50 else 0.100))
    assert peer.offset_s == pytest.approx(0.020)
    for second in range(100, 200):
        peer.report(float(second), second + 0.100)
    assert peer.offset_s == pytest.approx(0.100)


def test_reports_that_waited_while_the_server_stood_still_do_not_move_the_clock() -> None:
    peer = PeerClock()
    peer.report(0.0, 0.002)
    for second in range(1, 9):
        peer.report(float(second), 8.4)
        assert peer.offset_s == pytest.approx(0.002)


def test_a_publisher_whose_clock_is_set_is_on_time_again_at_its_next_report() -> None:
    peer = PeerClock()
    video = StreamClock(peer, 90_000)
    for second, step in ((0.0, 0.0), (1.0, 0.0), (2.0, 3600.0), (3.0, 3600.0), (4.0, -86_400.0)):
        peer.report(second + step, 1000.0 + second)
        video.report(second + step, round(second * 90_000))
        assert video.wall_time(round(second * 90_000)) == pytest.approx(1000.0 + second)


def test_before_any_report_arrivals_are_the_clue() -> None:
    clock = StreamClock(PeerClock(), 48_000)
    clock.received(0, 100.050)
    clock.received(960, 100.030)
    assert clock.wall_time(960) == pytest.approx(100.030)
    assert clock.timestamp_at(clock.wall_time(4800)) == 4800
