"""Which layer a subscriber gets."""

from dataclasses import dataclass
from itertools import pairwise

from sfu.streams.layers import LossLadder, choose, living


@dataclass
class Sent:
    """A layer and the time of its last packet."""

    rid: str
    last_packet_at: float


LIVE = [Sent("f", 10.0), Sent("h", 10.0), Sent("q", 10.0)]


def test_living_layers_are_those_with_packets_and_none_better_than_the_wish() -> None:
    assert living(LIVE, None, 10.1) == [0, 1, 2]
    assert living(LIVE, "h", 10.1) == [1, 2]
    assert living([Sent("f", 10.0), Sent("h", 0.0), Sent("q", 0.0)], "h", 10.1) == [0]
    assert living(LIVE, None, 20.0) == []


def test_the_best_living_layer_is_chosen_unless_another_is_wished() -> None:
    assert choose(LIVE, None, 0, 10.1) == 0
    assert choose(LIVE, "h", 0, 10.1) == 1
    assert choose([Sent("f", 0.0), Sent("h", 10.0), Sent("q", 10.0)], None, 0, 10.1) == 1
    assert choose([Sent("f", 0.0), Sent("h", 0.0), Sent("q", 10.0)], "h", 0, 10.1) == 2
    assert choose([Sent("f", 0.0)], None, 0, 10.1) is None


def test_loss_takes_layers_away_one_by_one_down_to_none() -> None:
    ladder = LossLadder()
    now = 0.0
    chosen = []
    for _ in range(8):
        now += 2.0
        ladder.reported(0.3, now, len(LIVE))
        chosen.append(choose([Sent(layer.rid, now) for layer in LIVE], None, ladder.step, now))
    assert chosen[:3] == [1, 2, None]
    assert chosen[-1] is None


def test_a_clean_line_gives_layers_back_slowly() -> None:
    ladder = LossLadder()
    ladder.reported(0.3, 1.0, 3)
    assert ladder.step == 1
    changes = [now for now in range(2, 200) if ladder.reported(0.0, float(now), 3)]
    assert len(changes) == 1
    assert changes[0] > 12


def test_a_picture_that_was_taken_away_altogether_is_tried_again_without_any_report() -> None:
    ladder = LossLadder()
    for now in (1.0, 3.0, 5.0):
        ladder.reported(0.3, now, 3)
    assert ladder.step == 3
    assert not ladder.retry(16.0)
    assert ladder.retry(18.0)
    assert ladder.step == 2


def test_tries_that_fail_grow_rarer_but_never_stop() -> None:
    ladder = LossLadder()
    ladder.reported(0.3, 0.0, 1)
    now, tries = 0.0, []
    while now < 300:
        now += 0.5
        if ladder.step and ladder.retry(now):
            tries.append(now)
        elif not ladder.step:
            ladder.reported(0.3, now, 1)
    waits = [later - sooner for sooner, later in pairwise(tries)]
    assert waits[0] < waits[-1] <= 35
