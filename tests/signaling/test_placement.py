"""Rooms and workers in the directory, for everybody of the installation to see."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from control import messages as m
from signaling.errors import ClientError
from signaling.placement import Placement, RoomPlace, WorkerPlace
from storage.directory import MemoryDirectory
from tests.signaling.house import house, worker


async def test_of_two_control_planes_one_gets_a_room(tmp_path: Path) -> None:
    directory = MemoryDirectory()
    one, two = Placement(directory, "one"), Placement(directory, "two")
    claims = await asyncio.gather(one.claim("room"), two.claim("room"), return_exceptions=True)
    assert [type(claim) for claim in claims].count(ClientError) == 1
    holder, other = (one, two) if claims[0] is None else (two, one)
    await holder.claim("room", "media-1")
    with pytest.raises(ClientError, match="media_unavailable"):
        await other.claim("room")
    await holder.release("room")
    await other.claim("room")


async def test_a_control_plane_that_comes_back_finds_its_rooms_its_own() -> None:
    directory = MemoryDirectory()
    await Placement(directory, "one").claim("room", "media-1")
    await Placement(directory, "one").claim("room", "media-2")
    assert await directory.get("room/room") == '{"control":"one","worker":"media-2"}'


async def test_a_control_plane_that_died_loses_its_rooms_after_a_while() -> None:
    now = 0.0
    directory = MemoryDirectory(lambda: now)
    await Placement(directory, "dead").claim("room")
    now = 15.1
    await Placement(directory, "alive").claim("room")


async def test_entries_stay_while_they_are_refreshed_and_come_back_when_the_server_forgot_them() -> None:
    now = 0.0
    directory = MemoryDirectory(lambda: now)
    placement = Placement(directory, "one")
    await placement.claim("room")
    for later in (10.0, 20.0, 30.0, 100.0):  # the last one comes too late: the entry is gone
        now = later
        await placement._refresh([])
        assert await directory.get("room/room") is not None
    await placement.release("room")
    await placement._refresh([])
    assert await directory.find("room/") == {}


async def test_the_media_worker_of_a_room_and_the_load_of_workers_are_written_down(tmp_path: Path) -> None:
    async def obey(command: m.Command) -> m.Result:
        return m.Done()

    async with house(tmp_path) as running, worker(running, obey), running.joined():
        async with asyncio.timeout(60):
            place = RoomPlace("")
            while place.worker is None:
                await asyncio.sleep(0.01)
                place = msgspec.json.decode(await running.directory.get("room/visit") or "{}", type=RoomPlace)
            assert place.control == "this control plane"
            entries: dict[str, str] = {}
            while not entries:
                await asyncio.sleep(0.05)
                entries = await running.directory.find("worker/media/")
        ((key, value),) = entries.items()
        assert key == f"worker/media/{place.worker}"
        load = msgspec.json.decode(value, type=WorkerPlace)
        assert (load.control, load.capacity) == ("this control plane", 100)
