"""The directory keeps its promises in memory and on Redis."""

import asyncio

import pytest

from storage.directory import Directory, MemoryDirectory, open_directory
from storage.errors import StorageError
from tests.rig.engines import RedisServer, redis_server

LONG_S = 60.0


async def gone(directory: Directory, key: str) -> None:
    async with asyncio.timeout(60):
        while await directory.get(key) is not None:  # noqa: ASYNC110 - a server ends it, no event tells
            await asyncio.sleep(0.01)


async def test_an_entry_is_read_back_and_found_by_the_beginning_of_its_key(directory: Directory) -> None:
    await directory.put("worker/media/a", "é 1", LONG_S)
    await directory.put("worker/media/b", "2", LONG_S)
    await directory.put("worker/recorder/a", "3", LONG_S)
    await directory.put("room/x", "", LONG_S)
    assert await directory.get("worker/media/a") == "é 1"
    assert await directory.get("worker/media/c") is None
    assert await directory.find("worker/media/") == {"worker/media/a": "é 1", "worker/media/b": "2"}
    assert await directory.find("room/") == {"room/x": ""}
    assert await directory.find("nothing/") == {}


async def test_a_key_that_looks_like_a_pattern_is_a_key(directory: Directory) -> None:
    for key in ("room/a*", "room/ab", "room/[ab]", "room/a?", "room/\\a"):
        await directory.put(key, key, LONG_S)
    assert await directory.find("room/a*") == {"room/a*": "room/a*"}
    assert await directory.find("room/[") == {"room/[ab]": "room/[ab]"}
    assert await directory.find("room/\\") == {"room/\\a": "room/\\a"}


async def test_an_entry_ends_by_itself_unless_it_is_written_again(directory: Directory) -> None:
    await directory.put("room/kept", "a", 1.5)
    await directory.put("room/left", "a", 1.5)
    assert await directory.compare_and_set("room/kept", "a", "a", LONG_S)
    await gone(directory, "room/left")
    assert await directory.find("room/") == {"room/kept": "a"}
    assert await directory.compare_and_set("room/left", None, "b", LONG_S), "an entry that ended is free"


async def test_of_many_that_claim_a_room_at_once_one_gets_it(directory: Directory) -> None:
    won = await asyncio.gather(
        *(directory.compare_and_set("room/x", None, f"control {number}", LONG_S) for number in range(20))
    )
    assert won.count(True) == 1
    assert await directory.get("room/x") == f"control {won.index(True)}"


async def test_only_who_knows_what_an_entry_holds_changes_or_removes_it(directory: Directory) -> None:
    assert not await directory.compare_and_set("room/x", "a", "b", LONG_S), "there is nothing yet"
    assert await directory.compare_and_set("room/x", None, "a", LONG_S)
    assert not await directory.compare_and_set("room/x", None, "b", LONG_S)
    assert not await directory.compare_and_set("room/x", "b", "c", LONG_S)
    assert not await directory.compare_and_set("room/x", "b", None, LONG_S)
    assert await directory.compare_and_set("room/x", "a", "b", LONG_S)
    assert await directory.get("room/x") == "b"
    assert await directory.compare_and_set("room/x", "b", None, LONG_S)
    assert await directory.get("room/x") is None


async def test_an_empty_text_is_not_the_same_as_no_entry(directory: Directory) -> None:
    assert not await directory.compare_and_set("room/x", "", "a", LONG_S)
    assert await directory.compare_and_set("room/x", None, "", LONG_S)
    assert not await directory.compare_and_set("room/x", None, "a", LONG_S)
    assert await directory.compare_and_set("room/x", "", "a", LONG_S)


async def test_memory_counts_by_the_clock_it_is_given() -> None:
    now = 100.0
    directory = MemoryDirectory(lambda: now)
    await directory.put("room/x", "a", 5)
    now = 104.9
    assert await directory.get("room/x") == "a"
    now = 105.0
    assert await directory.find("room/") == {}
    assert await directory.get("room/x") is None


async def test_a_broken_connection_to_redis_is_made_anew(redis_engine: RedisServer) -> None:
    redis_engine.empty()
    directory = await open_directory(redis_engine.url)
    await directory.put("room/x", "a", LONG_S)
    redis_engine.drop_connections()
    assert await directory.get("room/x") == "a"
    redis_engine.drop_connections()
    assert await directory.compare_and_set("room/x", "a", "b", LONG_S)
    await directory.close()


async def test_a_server_that_went_away_is_an_error_of_storage_and_its_return_is_enough() -> None:
    with redis_server() as server:
        directory = await open_directory(server.url)
        server.stop()
        for call in (
            directory.get("a"), directory.put("a", "b", 1), directory.find("a"),
            directory.compare_and_set("a", None, "b", 1),
        ):  # fmt: skip
            with pytest.raises(StorageError, match="bus_unreachable"):
                await call
        server.start()
        await directory.put("a", "b", LONG_S)
        assert await directory.get("a") == "b"
        await directory.close()


@pytest.mark.parametrize("url", ["", "file:///x", "redis://host/x"])
async def test_an_address_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(StorageError, match="bus_url"):
        await open_directory(url)
