"""Asking for lost packets again."""

from sfu.streams.nack import MAX_GAP, MAX_TRIES, NackGenerator


def test_asks_for_a_hole_after_the_time_of_reordering_then_again_after_a_round_trip() -> None:
    nack = NackGenerator()
    nack.received(10, 0.0)
    nack.received(13, 0.0)
    assert nack.poll(0.001, 0.1) == ([], False)
    assert nack.poll(0.010, 0.1) == ([11, 12], False)
    assert nack.poll(0.020, 0.1) == ([], False)
    assert nack.poll(0.200, 0.1) == ([11, 12], False)


def test_a_packet_that_was_only_late_is_not_asked_for() -> None:
    nack = NackGenerator()
    nack.received(1, 0.0)
    nack.received(3, 0.0)
    nack.received(2, 0.002)
    assert nack.poll(1.0, 0.1) == ([], False)
    assert not nack.missing


def test_gives_up_after_so_many_tries_and_says_so() -> None:
    nack = NackGenerator()
    nack.received(1, 0.0)
    nack.received(3, 0.0)
    now = 0.0
    for _ in range(MAX_TRIES):
        now += 1.0
        assert nack.poll(now, 0.05)[0] == [2]
    assert nack.poll(now + 1, 0.05) == ([], True)
    assert not nack.missing


def test_a_hole_that_is_too_long_is_left_to_a_keyframe() -> None:
    nack = NackGenerator()
    nack.received(1, 0.0)
    assert nack.received(MAX_GAP + 10, 0.0)
    assert not nack.missing
