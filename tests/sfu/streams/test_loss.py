"""What a receiver lost on its own link."""

import pytest

from sfu.streams.loss import LinkLoss


def no_holes(first: int, end: int) -> int:
    return 0


def test_without_holes_it_is_what_was_lost_of_what_was_sent() -> None:
    loss = LinkLoss()
    assert loss.reported(100, 0, 0.0, no_holes) == 0.0
    assert loss.reported(200, 10, 0.1, no_holes) == pytest.approx(0.1)
    assert loss.reported(400, 10, 0.0, no_holes) == 0.0


def test_what_the_publisher_lost_is_not_the_receivers_loss() -> None:
    loss = LinkLoss()
    loss.reported(100, 0, 0.0, no_holes)
    asked = []

    def twenty_holes(first: int, end: int) -> int:
        asked.append((first, end))
        return 20

    assert loss.reported(200, 20, 0.2, twenty_holes) == 0.0
    assert loss.reported(300, 48, 0.28, twenty_holes) == pytest.approx(8 / 80)
    assert asked == [(101, 201), (201, 301)]


def test_repairs_that_come_between_reports_are_no_negative_loss() -> None:
    loss = LinkLoss()
    loss.reported(100, 30, 0.3, no_holes)
    assert loss.reported(200, 5, 0.0, no_holes) == 0.0


def test_a_report_that_was_lost_itself_is_covered_by_the_next_one() -> None:
    loss = LinkLoss()
    loss.reported(100, 0, 0.0, no_holes)
    assert loss.reported(300, 40, 0.0, no_holes) == pytest.approx(0.2)


@pytest.mark.parametrize(("highest", "lost"), [(99, 0), (-1, -8_388_608), (10_000_000, 8_388_607), (101, 8_388_607)])
def test_nonsense_is_bounded(highest: int, lost: int) -> None:
    loss = LinkLoss()
    loss.reported(100, 0, 0.0, no_holes)
    assert 0.0 <= loss.reported(highest, lost, 1.0, no_holes) <= 1.0
