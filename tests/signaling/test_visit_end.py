"""A visit that was ended for all is over, whatever is started anew; others go on."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from signaling import messages as s
from signaling.placement import Placement
from signaling.service import Signaling
from storage import database
from tests.signaling.house import House, house


async def refused(running: House, visit: str = "visit", role: str = "client") -> s.Error:
    async with running.connected() as client:
        await client.send(s.Join(running.token(role, visit), "Anne", "fr"))
        error = await client.error()
        await client.ended()
        return error


async def forgotten(signaling: Signaling, visit: str) -> None:
    async with asyncio.timeout(60):
        while visit in signaling.rooms:  # noqa: ASYNC110 - the sweep tells nobody
            await asyncio.sleep(0.05)


async def test_a_visit_ended_for_all_is_not_entered_again_not_even_after_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        async with running.joined("social_worker") as host, running.joined(name="Zoé") as guest:
            await host.send(s.EndVisit())
            ended = await guest.wait(s.Ended)
            assert isinstance(ended, s.Ended)
            assert ended.reason == "ended"
            await host.ended()
            await guest.ended()
        for _ in range(2):
            error = await refused(running)
            assert (error.code, error.text, error.fatal) == ("visit_ended", "La visite est terminée.", True)
            await forgotten(running.signaling, "visit")
        kept = await running.visits.get("visit")
        assert kept is not None
        assert kept.state == "ended"
        assert kept.started_at_s is not None
        assert kept.ended_at_s is not None
        assert kept.started_at_s <= kept.ended_at_s
        async with running.joined(visit="another"):
            pass
    async with house(tmp_path) as again:
        for role in ("client", "social_worker"):
            assert (await refused(again, role=role)).code == "visit_ended"


async def test_a_visit_that_emptied_by_itself_is_entered_again(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        async with running.joined() as client:
            await client.send(s.Leave())
            await client.ended()
        await forgotten(running.signaling, "visit")
        async with running.joined():
            pass
    async with house(tmp_path) as again, again.joined():
        pass


async def test_opening_the_operators_link_keeps_the_visit(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        async with running.http.get(f"{running.url}/new/wrong") as response:
            assert response.status == 404
        async with running.http.get(f"{running.url}/new/admin", allow_redirects=False) as response:
            assert response.status == 303
            visit = response.headers["Location"].partition("#")[0].removeprefix("/v/")
        kept = await running.visits.get(visit)
        assert kept is not None
        assert (kept.state, kept.started_at_s, kept.language) == ("created", None, "fr")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not wait long for another writer."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.5)


@contextmanager
def somebody_else_writes(data: Path) -> Iterator[None]:
    """Hold the database, as a backup or a second program would."""
    with closing(sqlite3.connect(data / "parvis.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


@pytest.mark.usefixtures("hasty")
async def test_an_end_holds_while_it_cannot_be_written_and_is_written_when_it_can(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        async with running.joined("social_worker") as host:
            with somebody_else_writes(tmp_path):
                await host.send(s.EndVisit())
                await host.ended()
                assert (await refused(running)).code == "visit_ended"
                kept = await running.visits.get("visit")
                assert kept is not None
                assert kept.state == "open"
        async with asyncio.timeout(60):
            while kept is None or kept.state != "ended":
                await asyncio.sleep(0.05)
                kept = await running.visits.get("visit")


@pytest.mark.usefixtures("hasty")
async def test_nobody_enters_a_visit_that_cannot_be_looked_after(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        with somebody_else_writes(tmp_path):
            assert (await refused(running)).code == "internal"
        async with running.joined():
            pass


async def test_a_room_held_by_another_control_plane_is_refused_until_that_one_lets_go(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        other = Placement(running.directory, "another control plane")
        await other.claim("visit")
        assert (await refused(running)).code == "media_unavailable"
        await other.release("visit")
        async with running.joined():
            assert '"this control plane"' in (await running.directory.get("room/visit") or "")
