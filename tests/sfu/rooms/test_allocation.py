"""Who gets which layer: everybody something, then the most important ones more, and no flapping."""

from hypothesis import given
from hypothesis import strategies as st

from sfu.rooms.allocation import FIRST_PAUSE_S, LENIENCE, Demand, Patience, allocate

CAMERA = (1_300_000.0, 450_000.0, 130_000.0)


def test_everybody_gets_the_lowest_layer_before_anybody_gets_more() -> None:
    demands = [Demand(CAMERA, None, priority=1) for _ in range(4)]
    assert allocate(demands, 600_000) == [2, 2, 2, 2]


def test_what_is_left_goes_to_the_most_important_first() -> None:
    demands = [Demand(CAMERA, None, priority=2), Demand(CAMERA, None, priority=0), Demand(CAMERA, None, priority=1)]
    assert allocate(demands, 2_200_000) == [2, 0, 1]


def test_a_shared_screen_is_the_last_to_go() -> None:
    demands = [Demand(CAMERA, 2, priority=1), Demand((900_000.0, 200_000.0), 1, priority=0)]
    assert allocate(demands, 220_000) == [None, 1]


def test_nothing_fits_into_nothing() -> None:
    assert allocate([Demand(CAMERA, 0), Demand((), None)], 0.0) == [None, None]


def test_the_lowest_layer_that_flows_is_kept_when_it_fits_just_so_badly() -> None:
    assert allocate([Demand(CAMERA, 2)], LENIENCE * 130_000) == [2]
    assert allocate([Demand(CAMERA, None)], LENIENCE * 130_000) == [None]


def test_a_better_layer_needs_a_margin_and_a_present_one_does_not() -> None:
    assert allocate([Demand(CAMERA, 1)], 450_000) == [1]
    assert allocate([Demand(CAMERA, 2)], 450_000) == [2]


def test_who_may_not_rise_stays() -> None:
    assert allocate([Demand(CAMERA, 1, may_rise=False)], 9e6) == [1]
    assert allocate([Demand(CAMERA, None, may_rise=False)], 9e6) == [2]


@given(
    st.lists(
        st.builds(
            Demand,
            st.lists(st.floats(1e3, 1e7), max_size=4).map(lambda each: sorted(each, reverse=True)),
            st.none(),
            st.booleans(),
            st.integers(0, 3),
        ),
        max_size=12,
    ),
    st.floats(-1e6, 1e8),
)
def test_the_budget_is_never_exceeded(demands: list[Demand], budget: float) -> None:
    chosen = allocate(demands, budget)
    spent = sum(each.layers_bps[at] for each, at in zip(demands, chosen, strict=True) if at is not None)
    assert spent <= max(0.0, budget) * (1 + 1e-9)


def test_a_layer_that_was_lost_at_once_is_not_tried_again_at_once_and_later_each_time() -> None:
    patience = Patience()
    patience.changed(2, 1, 10.0)
    patience.changed(1, 2, 12.0)
    assert not patience.may_rise(12.0 + FIRST_PAUSE_S - 0.1)
    assert patience.may_rise(12.0 + FIRST_PAUSE_S)
    patience.changed(2, 1, 20.0)
    patience.changed(1, 2, 22.0)
    assert not patience.may_rise(22.0 + 2 * FIRST_PAUSE_S - 0.1)
    patience.changed(2, 0, 50.0)
    patience.changed(0, 1, 70.0)
    assert patience.may_rise(70.0)
