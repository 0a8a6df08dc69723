"""Asking for a recording: who may, what is said when there is no recorder or it refuses, and what everybody sees."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from control import messages as m
from control.worker import WorkerConnection, hello
from recordings.worker import Recorder
from sfu.pipes.endpoint import PipeEndpoint
from signaling import messages as s
from tests.signaling.house import TOKEN, House, house

MIB = 1 << 20


@asynccontextmanager
async def recorder(house: House, folder: Path, minimum_free_bytes: int = MIB) -> AsyncIterator[None]:
    """Connect a real recorder, of this process."""
    endpoint = await PipeEndpoint.open()
    made = Recorder(folder, minimum_free_bytes, endpoint, lambda notice: connection.notify(notice))
    connection = WorkerConnection(
        f"{house.url}/control".replace("http", "ws", 1),
        hello("recorder", TOKEN, endpoint.address),
        made.handle,
        lambda: m.Load(made.active, time.process_time()),
    )
    running = asyncio.create_task(connection.run())
    try:
        async with asyncio.timeout(10):
            while not connection.connected:  # noqa: ASYNC110 - the tests of a process tell nobody
                await asyncio.sleep(0.01)
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        await made.close("recorder_lost")
        endpoint.close()


async def states(client: object, count: int) -> list[tuple[str, str | None]]:
    """Return the next states of the recording as a client sees them."""
    out = []
    for _ in range(count):
        message = await client.wait(s.RecordingChanged)  # type: ignore[attr-defined]
        assert isinstance(message, s.RecordingChanged)
        out.append((message.recording.state, message.recording.problem))
    return out


async def test_without_a_recorder_the_host_is_told_so(tmp_path: Path) -> None:
    async with house(tmp_path) as it, it.joined("judge") as judge:
        await judge.send(s.StartRecording(7))
        error = await judge.error()
        assert (error.code, error.id, error.fatal) == ("recorder_unavailable", 7, False)
        assert error.text == "The recorder is not available."
        await judge.send(s.StopRecording(8))  # nothing to stop is no error
        await judge.works()


async def test_only_who_may_record_starts_or_stops_a_recording(tmp_path: Path) -> None:
    async with house(tmp_path) as it, recorder(it, tmp_path / "recordings"), it.joined("client") as client:
        for message in (s.StartRecording(1), s.StopRecording(2)):
            await client.send(message)
            assert (await client.error()).code == "not_allowed"
        assert not (tmp_path / "recordings").exists()


async def test_a_full_disk_is_said_to_the_host_and_nobody_sees_a_recording(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as it,
        recorder(it, tmp_path / "recordings", 1 << 60),
        it.joined("judge") as judge,
        it.joined("client", name="Luc") as luc,
    ):
        await judge.send(s.StartRecording(1))
        assert (await judge.error()).code == "disk_full"
        assert await states(luc, 2) == [("starting", None), ("idle", None)]
        assert list((tmp_path / "recordings").iterdir()) == []


async def test_everybody_sees_a_recording_begin_and_end_and_starting_twice_is_once(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    async with (
        house(tmp_path) as it,
        recorder(it, folder),
        it.joined("judge") as judge,
        it.joined("client", name="Luc") as luc,
    ):
        await judge.send(s.StartRecording(1))
        await judge.send(s.StartRecording(2))
        assert await states(luc, 2) == [("starting", None), ("active", None)]
        assert len(list(folder.iterdir())) == 1
        async with it.connected() as late:
            await late.send(s.Join(it.token(), "Zoé", "fr"))
            welcome = await late.wait(s.Welcome)
            assert isinstance(welcome, s.Welcome)
            assert welcome.recording.state == "active"
            assert welcome.recording.started_at_s is not None
        await judge.send(s.StopRecording(3))
        await judge.send(s.StopRecording(4))
        assert await states(luc, 2) == [("stopping", None), ("idle", None)]
        await judge.works()
        await judge.send(s.StartRecording(5))  # another one
        assert await states(luc, 2) == [("starting", None), ("active", None)]
        assert len(list(folder.iterdir())) == 2


async def test_a_recorder_that_is_lost_is_waited_for_and_the_host_may_still_stop(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    async with house(tmp_path) as it, it.joined("judge") as judge:
        async with recorder(it, folder):
            await judge.send(s.StartRecording(1))
            assert await states(judge, 2) == [("starting", None), ("active", None)]
        assert await states(judge, 1) == [("starting", "recorder_lost")]
        async with recorder(it, folder):
            assert await states(judge, 1) == [("active", None)]
            await judge.send(s.StopRecording(2))
            assert await states(judge, 2) == [("stopping", None), ("idle", None)]
    assert len(list(folder.iterdir())) == 1
