"""Visits are kept: created, open, ended."""

import asyncio

from storage.database import Database
from storage.visits import Visit, Visits


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_visit_opens_when_somebody_first_comes_in_and_ends_once(database: Database) -> None:
    clock = Clock()
    visits = Visits(database, clock)
    await visits.create("abcd", title="L'été d'« Anaïs » 100 % ; --", language="en")
    title = "L'été d'« Anaïs » 100 % ; --"
    assert await visits.get("abcd") == Visit("abcd", title, "en", "created", 100.0, None, None)
    clock.now = 110.0
    assert await visits.enter("abcd") == Visit("abcd", title, "en", "open", 100.0, 110.0, None)
    clock.now = 120.0
    assert await visits.enter("abcd") == Visit("abcd", title, "en", "open", 100.0, 110.0, None)
    await visits.end("abcd")
    clock.now = 130.0
    await visits.end("abcd")
    over = Visit("abcd", title, "en", "ended", 100.0, 110.0, 120.0)
    assert await visits.get("abcd") == over
    assert await visits.enter("abcd") == over


async def test_creating_a_visit_again_changes_nothing(database: Database) -> None:
    visits = Visits(database, Clock())
    await visits.create("abcd", title="first")
    await visits.end("abcd")
    await visits.create("abcd", title="second")
    found = await visits.get("abcd")
    assert found is not None
    assert (found.title, found.state) == ("first", "ended")


async def test_a_visit_that_the_database_lost_is_made_by_whoever_enters_or_ends_it(database: Database) -> None:
    visits = Visits(database, Clock())
    assert (await visits.enter("entered")).state == "open"
    await visits.end("only-ended")
    assert (await visits.enter("only-ended")).state == "ended"
    assert await visits.get("unknown") is None


async def test_of_many_that_enter_at_once_all_see_the_same_start(database: Database) -> None:
    visits = Visits(database)
    entered = await asyncio.gather(*(visits.enter("abcd") for _ in range(10)))
    assert len({visit.started_at_s for visit in entered}) == 1


async def test_an_end_is_still_there_when_the_database_is_opened_again(database_url: str) -> None:
    database = await Database.open(database_url)
    await Visits(database).end("abcd")
    await database.close()
    database = await Database.open(database_url)
    assert (await Visits(database).enter("abcd")).state == "ended"
    await database.close()
