"""The bus keeps its promises in memory and on Redis."""

import asyncio

import pytest

from storage import bus as bus_module
from storage.bus import CAPACITY, Bus, RedisBus, open_bus
from storage.errors import StorageError
from tests.rig.engines import RedisServer, redis_server


async def take(subscription: bus_module.Subscription, count: int) -> list[bytes]:
    async with asyncio.timeout(60):
        return [await anext(subscription) for _ in range(count)]


async def test_every_subscriber_gets_what_is_published_after_it_came_in_order(bus: Bus) -> None:
    await bus.publish("caption", b"too early")
    async with bus.subscribe("caption") as first, bus.subscribe("caption") as second:
        for number in range(300):
            await bus.publish("caption", b"%d" % number)
        expected = [b"%d" % number for number in range(300)]
        assert await take(first, 300) == expected
        assert await take(second, 300) == expected
        assert first.missed == second.missed == 0


async def test_topics_do_not_mix_and_payloads_are_bytes_as_they_are(bus: Bus) -> None:
    async with bus.subscribe("caption") as captions, bus.subscribe("recording") as recordings:
        await bus.publish("recording", bytes(range(256)))
        await bus.publish("caption", "« Où êtes-vous ? »".encode())
        assert await take(captions, 1) == ["« Où êtes-vous ? »".encode()]
        assert await take(recordings, 1) == [bytes(range(256))]


async def test_a_subscriber_that_waits_is_woken(bus: Bus) -> None:
    async with bus.subscribe("caption") as subscription:
        waiting = asyncio.create_task(take(subscription, 1))
        await asyncio.sleep(0)
        await bus.publish("caption", b"now")
        assert await waiting == [b"now"]


async def test_nobody_waits_for_a_slow_subscriber_which_loses_the_oldest_and_is_told_how_many(bus: Bus) -> None:
    async with bus.subscribe("caption") as slow:
        for number in range(CAPACITY + 7):
            await bus.publish("caption", b"%d" % number)
        assert await take(slow, CAPACITY) == [b"%d" % number for number in range(7, CAPACITY + 7)]
        assert slow.missed == 7
        await bus.publish("caption", b"and on")
        assert await take(slow, 1) == [b"and on"]
        assert slow.missed == 7


async def test_publishers_at_once_lose_nothing_and_keep_their_order(bus: Bus) -> None:
    async with bus.subscribe("caption") as subscription, asyncio.TaskGroup() as tasks:
        for number in range(100):
            tasks.create_task(bus.publish("caption", b"%d" % number))
        assert await take(subscription, 100) == [b"%d" % number for number in range(100)]


async def test_a_subscriber_that_is_cancelled_while_it_waits_leaves_the_bus_whole(bus: Bus) -> None:
    async with bus.subscribe("caption") as subscription:
        waiting = asyncio.create_task(take(subscription, 1))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await bus.publish("caption", b"later")
        assert await take(subscription, 1) == [b"later"]


async def test_publishing_to_nobody_is_no_error(bus: Bus) -> None:
    await bus.publish("nobody", b"listens")


# --- Redis only: what memory cannot lose -----------------------------------------------------------------------------


async def test_a_subscriber_whose_connection_broke_goes_on_and_misses_nothing(redis_engine: RedisServer) -> None:
    redis_engine.empty()
    bus = await open_bus(redis_engine.url)
    async with bus.subscribe("caption") as subscription:
        waiting = asyncio.create_task(take(subscription, 3))
        await bus.publish("caption", b"1")
        redis_engine.drop_connections()
        await bus.publish("caption", b"2")
        redis_engine.drop_connections()
        await bus.publish("caption", b"3")
        assert await waiting == [b"1", b"2", b"3"]
        assert subscription.missed == 0
    await bus.close()


async def test_subscribers_and_publishers_outlive_a_server_that_dies_and_comes_back_empty() -> None:
    with redis_server() as server:
        bus = await open_bus(server.url)
        async with bus.subscribe("caption") as subscription:
            await bus.publish("caption", b"before")
            waiting = asyncio.create_task(take(subscription, 2))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(server.stop)
            publishing = asyncio.create_task(bus.publish("caption", b"after"))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(server.start)
            await publishing
            assert await waiting == [b"before", b"after"]
        await bus.close()


async def test_a_publisher_gives_up_on_a_server_that_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "PATIENCE_S", 0.5)
    monkeypatch.setattr(bus_module, "MAX_WAITING", 2)
    with redis_server() as server:
        bus = await open_bus(server.url)
        server.stop()
        results = await asyncio.gather(*(bus.publish("caption", b"x") for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [StorageError] * 3
        assert "2 payloads wait" in str(results[2])
        with pytest.raises(StorageError, match="bus_unreachable"):
            async with bus.subscribe("caption"):
                pass
        await bus.close()


async def test_what_was_said_does_not_stay_on_the_server(redis_engine: RedisServer) -> None:
    redis_engine.empty()
    bus = await open_bus(redis_engine.url)
    assert isinstance(bus, RedisBus)
    await bus.publish("caption", b"secret")
    keys = await bus._client.keys("*")
    assert len(keys) == 2
    for key in keys:
        assert 0 < await bus._client.ttl(key) <= bus_module.FORGET_S
    await bus.close()


@pytest.mark.parametrize("url", ["", "memory", "kafka://host", "redis://host:port/0", "redis://:secret@host/zero"])
async def test_an_address_that_makes_no_sense_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StorageError) as caught:
        await open_bus(url)
    assert caught.value.code == "bus_url"
    assert "secret" not in str(caught.value)


async def test_a_server_that_is_not_there_is_said_to_be_out_of_reach() -> None:
    with pytest.raises(StorageError) as caught:
        await open_bus("unix://user:secret@/nowhere/redis.sock")
    assert caught.value.code == "bus_unreachable"
    assert "secret" not in str(caught.value)
