"""The recorder as a process: recordings from the control plane, tracks by pipes, files on the disk."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path

from configs.settings import Settings
from control import messages as m
from control.ids import RecordingId
from control.worker import WorkerConnection, hello
from recordings.errors import RecordingError, StorageError
from recordings.folder import Folder, recover
from recordings.recording import Recording
from sfu.pipes.endpoint import PipeEndpoint

logger = logging.getLogger(__name__)

TAKE_OVER_S = 5.0
"""How long a recording that another process still holds is waited for."""
ORPHANED_S = 30.0
"""Without the control plane for so long, nobody will ever stop these recordings: they are closed."""
TICK_S = 1.0


class Recorder:
    """The recordings of this process. Commands come one after the other."""

    def __init__(
        self, root: Path, minimum_free_bytes: int, endpoint: PipeEndpoint, notify: Callable[[m.Notice], None]
    ) -> None:
        self._root = root
        self._minimum_free_bytes = minimum_free_bytes
        self._endpoint = endpoint
        self._notify = notify
        self._recordings: dict[RecordingId, Recording] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> int:
        """How many recordings are under way."""
        return sum(recording.failed is None for recording in self._recordings.values())

    async def handle(self, command: m.Command) -> m.Result:
        """Carry out a command of the control plane."""
        try:
            match command:
                case m.StartRecording():
                    await self._start(command)
                case m.RecordTrack():
                    recording = self._find(command.recording)
                    await recording.stop_track(command.spec.publication)
                    recording.record(command)
                case m.StopTrack():
                    await self._find(command.recording).stop_track(command.publication)
                case m.StopRecording():
                    closed = await self._find(command.recording).stop()
                    del self._recordings[command.recording]
                    return closed
                case _:
                    return m.Failed("unknown_command", f"a recorder has no command {type(command).__name__}")
        except StorageError as error:
            return m.Failed(error.code, str(error))
        except RecordingError as error:
            return m.Failed("recorder_unavailable", str(error))
        return m.Done()

    async def close(self, problem: str) -> None:
        """Close all recordings."""
        recordings, self._recordings = self._recordings, {}
        for recording in recordings.values():
            await recording.stop(problem)

    async def _start(self, command: m.StartRecording) -> None:
        known = self._recordings.get(command.recording)
        if known is not None and known.failed is None:
            await known.stop_tracks()  # the control plane lost us and is back: it begins the tracks anew
            return
        folder = await asyncio.to_thread(self._open, command)
        recording = Recording(folder, self._endpoint, self._minimum_free_bytes, self._notify)
        self._recordings[command.recording] = recording
        task = asyncio.create_task(recording.run(), name=f"recording {command.recording}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _open(self, command: m.StartRecording) -> Folder:
        """Make or take over the folder, in a thread; raises RecordingError, StorageError without enough space."""
        arguments = self._root, command.recording, command.room, command.at_s
        if command.resume:
            folder = Folder.resume(*arguments, patience_s=TAKE_OVER_S)
        else:
            folder = Folder.create(*arguments)
        try:
            free = folder.free_bytes
            if free < self._minimum_free_bytes:
                needed = self._minimum_free_bytes >> 20
                raise StorageError("disk_full", f"{free >> 20} MiB are free, {needed} MiB are needed")
        except StorageError as error:
            folder.abandon(error.code)
            raise
        return folder

    def _find(self, recording: RecordingId) -> Recording:
        if recording not in self._recordings:
            raise RecordingError(f"there is no recording {recording} here")
        return self._recordings[recording]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a recording ended by a fault", exc_info=task.exception())


async def run(settings: Settings) -> None:
    """Run a recorder until SIGTERM or cancelled; what it is recording then is closed."""
    endpoint = await PipeEndpoint.open()
    root = settings.recordings_folder
    greeting = hello("recorder", settings.control_token, endpoint.address)

    def notify(notice: m.Notice) -> None:
        connection.notify(notice)

    recorder = Recorder(root, settings.recording.minimum_free_mb << 20, endpoint, notify)

    def load() -> m.Load:
        return m.Load(recorder.active, time.process_time(), {"datagrams_dropped": endpoint.dropped})

    connection = WorkerConnection(settings.control_socket, greeting, recorder.handle, load)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(connection.run(), name="control"),
                tasks.create_task(_mend(root), name="recovery"),
                tasks.create_task(_close_orphans(connection, recorder), name="orphans"),
            ]
            await stop.wait()
            for task in running:
                task.cancel()
    finally:
        await recorder.close("recorder_lost")
        endpoint.close()


async def _mend(root: Path) -> None:
    """Close what recorders before this one left open."""
    try:
        await asyncio.to_thread(recover, root)
    except OSError as error:
        logger.error("recordings that were cut short could not be looked for: %s", error)


async def _close_orphans(connection: WorkerConnection, recorder: Recorder) -> None:
    """Close recordings of which no control plane has known for too long."""
    seen = time.monotonic()
    while True:
        await asyncio.sleep(TICK_S)
        now = time.monotonic()
        if connection.connected:
            seen = now
        elif now - seen > ORPHANED_S and recorder.active:
            logger.error("the control plane is gone: recordings are closed")
            await recorder.close("recorder_lost")
