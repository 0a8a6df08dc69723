"""The pure core of the impairment relay: repeatable, and as bad as asked for."""

import itertools

import pytest

from tests.rig.impairment import Bursts, Impairment, Profile, ProfileError

EVERYTHING = Profile(
    loss=0.1, bursts=Bursts.of(0.05, 4), delay_ms=30, jitter_ms=15, reorder=0.05, duplicate=0.02, mtu=1400
)


def fate(profile: Profile, seed: int, packets: int = 2000) -> list[list[float]]:
    impairment = Impairment(profile, seed)
    return [impairment.decide(100 + number % 1400, number * 0.005) for number in range(packets)]


def test_same_seed_gives_the_same_decisions() -> None:
    assert fate(EVERYTHING, 7) == fate(EVERYTHING, 7)


def test_another_seed_gives_others() -> None:
    assert fate(EVERYTHING, 7) != fate(EVERYTHING, 8)


def test_a_clean_link_changes_nothing() -> None:
    assert fate(Profile(), 1) == [[number * 0.005] for number in range(2000)]


def test_a_profile_changed_half_way_leaves_the_rest_as_it_would_have_been() -> None:
    steady = Impairment(Profile(loss=0.3), 3)
    changed = Impairment(Profile(loss=0.3), 3)
    for number in range(500):
        steady.decide(100, number)
        changed.profile = Profile() if 100 <= number < 400 else Profile(loss=0.3)
        changed.decide(100, number)
    assert [steady.decide(100, n) for n in range(500, 900)] == [changed.decide(100, n) for n in range(500, 900)]


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.2, 0.4])
def test_random_loss_is_as_asked_for(loss: float) -> None:
    impairment = Impairment(Profile(loss=loss), 11)
    for number in range(40_000):
        impairment.decide(1200, number)
    assert impairment.tally.lost / 40_000 == pytest.approx(loss, rel=0.1)


@pytest.mark.parametrize(("loss", "length"), [(0.1, 3), (0.1, 8), (0.3, 5)])
def test_bursts_have_the_share_and_the_length_asked_for(loss: float, length: float) -> None:
    impairment = Impairment(Profile(bursts=Bursts.of(loss, length)), 5)
    lost = [not impairment.decide(1200, number) for number in range(60_000)]
    runs = sum(now and not before for before, now in zip([False, *lost], lost, strict=False))
    assert sum(lost) / len(lost) == pytest.approx(loss, rel=0.1)
    assert sum(lost) / runs == pytest.approx(length, rel=0.1)


def test_jitter_keeps_order_and_stays_in_its_range() -> None:
    arrivals = [due for (due,) in fate(Profile(delay_ms=50, jitter_ms=40), 2)]
    assert arrivals == sorted(arrivals)
    delays = [due - number * 0.005 for number, due in enumerate(arrivals)]
    assert min(delays) >= 0.05
    assert max(delays) <= 0.0901


def test_reordered_packets_are_overtaken() -> None:
    arrivals = [due for (due,) in fate(Profile(reorder=0.1, reorder_ms=12), 2)]
    overtaken = sum(later < sooner for sooner, later in itertools.pairwise(arrivals))
    assert 100 < overtaken < 300


def test_duplicates_arrive_twice() -> None:
    twice = sum(len(dues) == 2 for dues in fate(Profile(duplicate=0.1), 4))
    assert 140 < twice < 260


def test_packets_over_the_mtu_vanish() -> None:
    impairment = Impairment(Profile(mtu=1280), 1)
    assert impairment.decide(1280, 0.0) == [0.0]
    assert impairment.decide(1281, 0.0) == []
    assert impairment.tally.too_big == 1


@pytest.mark.parametrize("bad", [{"loss": 1.5}, {"delay_ms": -1}, {"bursts": Bursts(2, 0.5)}])
def test_an_impossible_profile_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ProfileError):
        Profile(**bad)  # type: ignore[arg-type]
