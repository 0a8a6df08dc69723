"""What signaling tells the bus: in order, without waiting, and the last words of a visit too."""

import asyncio
from pathlib import Path

import pytest

from control import events
from control import messages as m
from control.captions import Caption, CaptionWord
from control.ids import ParticipantId, PublicationId, RoomId
from signaling.announcer import Announcer
from storage.bus import MemoryBus
from storage.errors import StorageError
from tests.signaling.house import house, worker


async def test_events_reach_the_bus_in_the_order_of_saying_and_a_lost_one_takes_no_other_along() -> None:
    told: asyncio.Queue[bytes] = asyncio.Queue()

    async def tell(topic: str, payload: bytes) -> None:
        await asyncio.sleep(0)
        if payload == b"3":
            raise StorageError("bus_unreachable", "redis://", "away")
        await told.put(payload)

    announcer = Announcer(tell)
    for number in range(6):
        announcer.say("topic", b"%d" % number)
    running = asyncio.create_task(announcer.run())
    async with asyncio.timeout(60):
        assert [await told.get() for _ in range(5)] == [b"0", b"1", b"2", b"4", b"5"]
    running.cancel()


async def test_what_waits_for_a_bus_that_is_away_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    announcer = Announcer(MemoryBus().publish)
    for _ in range(2001):
        announcer.say("topic", b"")
    assert caplog.text.count("an event of topic is lost") == 1


async def test_final_captions_reach_the_bus_also_of_a_room_that_is_gone(tmp_path: Path) -> None:
    def caption(text: str, *, final: bool) -> Caption:
        return Caption(RoomId("gone"), ParticipantId("p"), PublicationId("p-mic"), "Zoé", "s1", 1, final, text, 0,
                         1.0, 2.0, "fr", "base", [CaptionWord(text, 1.0, 2.0, 0.5)])  # fmt: skip

    async def handle(command: m.Command) -> m.Result:
        return m.Done()

    async with (
        house(tmp_path) as running,
        running.bus.subscribe(events.CAPTION_TOPIC) as subscription,
        worker(running, handle) as connection,
    ):

        async def speak() -> None:
            while True:  # what is said before the worker is connected is lost
                connection.notify(caption("à su", final=False))
                connection.notify(caption("à suivre", final=True))
                await asyncio.sleep(0.05)

        speaking = asyncio.create_task(speak())
        async with asyncio.timeout(60):
            kept = events.decode_caption(await anext(subscription))
        speaking.cancel()
    assert kept == caption("à suivre", final=True)
