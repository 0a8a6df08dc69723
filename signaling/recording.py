"""A room's recording: which recorder has it, what is sent to it, and what everybody is told."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from typing import TYPE_CHECKING, Literal

from control import events
from control import messages as m
from control.ids import ParticipantId, PipeId, PublicationId, RecordingId
from signaling import messages as s
from signaling.announcer import Announcer
from signaling.errors import ClientError
from signaling.pipes import new_pipe
from signaling.workers import Worker, WorkerError, WorkerHub

if TYPE_CHECKING:
    from signaling.room import Room

logger = logging.getLogger(__name__)

CLOSING_S = 30.0
"""How long a recorder may take to close all files."""
RECORDER_WAIT_S = 3.0
"""How long the beginning of a recording waits for a recorder."""
RESUME_PAUSE_S = 0.5
RESUMED_WITHIN_S = 10.0
"""How long the end of a recording waits for its next recorder, so that it is closed properly."""
DISK_PROBLEMS = frozenset({"disk_full", "write_error"})
"""What a recorder may say that people are told as it is."""


class RecordingJob:
    """The recording of one room, over the deaths of recorders and media workers. At most one runs at a time."""

    def __init__(self, room: Room, hub: WorkerHub, announcer: Announcer) -> None:
        self._room = room
        self._hub = hub
        self._announcer = announcer
        self._live: dict[PublicationId, m.PublicationStarted] = {}
        """What could be recorded."""
        self._pipes: dict[PublicationId, PipeId] = {}
        """What is being recorded."""
        self._worker: Worker | None = None
        self._recording: RecordingId | None = None
        self._started_at_s = 0.0
        self._problem: str | None = None
        """Why it cannot go on."""
        self._changing = asyncio.Lock()
        """One start or stop at a time."""
        self._came = asyncio.Event()
        self._running = asyncio.Event()
        """Set while a recorder has the recording."""
        self.info = s.RecordingInfo("idle")

    # --- what clients ask -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to record; one that runs already is no error. Raises ClientError."""
        async with self._changing:
            if self._recording is not None:
                return
            worker = await self._recorder()
            recording, at_s = RecordingId(secrets.token_hex(8)), time.time()
            before = self.info
            self._recording, self._started_at_s, self._problem = recording, at_s, None
            self._show("starting")
            try:
                await worker.request(m.StartRecording(recording, self._room.id, at_s))
            except WorkerError as error:
                logger.error("no recording: %s", error)
                self._recording = None
                self.info = before
                self._room.broadcast(s.RecordingChanged, recording=before)
                raise ClientError(error.code if error.code in DISK_PROBLEMS else "recorder_unavailable") from error
            if worker.lost:  # it died having answered, before it was ours to lose
                self._room.spawn(self._resume(recording))
            else:
                self._run(worker)
            self._announce(events.RecordingStarted(recording, self._room.id, at_s))

    async def stop(self) -> None:
        """End the recording and close its files; without one this is no error."""
        async with self._changing:
            recording = self._recording
            if recording is None:
                return
            self._show("stopping")
            if not self._running.is_set():
                try:
                    await asyncio.wait_for(self._running.wait(), RESUMED_WITHIN_S)
                except TimeoutError:
                    logger.error("recording %s ends without a recorder; the next one to start closes it", recording)
            await self._end(recording)

    # --- what happens in the room ---------------------------------------------------------------------------------

    def publication_started(self, notice: m.PublicationStarted) -> None:
        """Record a track whose packets have begun to arrive, if there is a recording."""
        self._live[notice.publication] = notice
        if self._running.is_set():
            self._room.spawn(self._record(notice))

    def publication_ended(self, publication: PublicationId) -> None:
        """Close the file of a track that is gone."""
        self._live.pop(publication, None)
        if self._pipes.pop(publication, None) is not None and self._worker is not None and self._recording is not None:
            self._room.spawn(self._worker.request(m.StopTrack(self._recording, publication)))

    def publications_lost(self) -> None:
        """Close all files: the media worker is gone, and what is published from now on has new names."""
        for publication in list(self._live):
            self.publication_ended(publication)

    # --- what workers do ------------------------------------------------------------------------------------------

    def worker_lost(self, worker: Worker) -> None:
        """Have another recorder go on with the recording if this one had it."""
        if worker is not self._worker or self._recording is None:
            return
        logger.warning("recording %s has lost its recorder", self._recording)
        self._worker = None
        self._running.clear()
        self._close_pipes()
        if self.info.state != "stopping":
            self._show("starting", "recorder_lost")
        self._room.spawn(self._resume(self._recording))

    def worker_connected(self) -> None:
        """A worker came: a recording without a recorder looks whether it is one."""
        self._came.set()

    def failed(self, notice: m.RecordingFailed) -> None:
        """Tell everybody that recording cannot go on; what was recorded is kept."""
        if notice.recording == self._recording:
            logger.error("recording %s failed: %s", notice.recording, notice.reason)
            self._problem = notice.code if notice.code in DISK_PROBLEMS else "write_error"
            self._room.spawn(self._fail(notice.recording))

    # --- details --------------------------------------------------------------------------------------------------

    async def _recorder(self) -> Worker:
        """Return a recorder, waiting a moment for one that is just being started anew; raises ClientError."""
        worker = await self._hub.find("recorder", RECORDER_WAIT_S)
        if worker is None or worker.pipe_address is None:
            raise ClientError("recorder_unavailable")
        return worker

    def _run(self, worker: Worker) -> None:
        self._worker = worker
        self._running.set()
        if self.info.state != "stopping":
            self._show("active")
        for notice in self._live.values():
            self._room.spawn(self._record(notice))

    async def _resume(self, recording: RecordingId) -> None:
        """Look for a recorder until one has the recording, it is over, or the disk refuses."""
        while self._recording == recording and self._worker is None:
            self._came.clear()
            worker = self._hub.choose("recorder")
            if worker is None or worker.pipe_address is None:
                await self._came.wait()
                continue
            try:
                await worker.request(m.StartRecording(recording, self._room.id, self._started_at_s, resume=True))
            except WorkerError as error:
                logger.warning("recording %s is not resumed: %s", recording, error)
                if error.code in DISK_PROBLEMS:
                    self._problem = error.code
                    await self._fail(recording)
                    return
                await asyncio.sleep(RESUME_PAUSE_S)
                continue
            if self._recording == recording and not worker.lost:
                self._run(worker)

    async def _record(self, notice: m.PublicationStarted) -> None:
        worker, recording = self._worker, self._recording
        info = self._room.publications.get(notice.publication)
        if worker is None or worker.pipe_address is None or recording is None or info is None:
            return
        if notice.publication in self._pipes:
            return
        spec = new_pipe("recording", notice)
        self._pipes[notice.publication] = spec.pipe
        name = self._room.name_of(info.participant) or ""
        try:
            await worker.request(
                m.RecordTrack(recording, ParticipantId(info.participant), name, info.source, spec),
            )
            await self._room.media.request(m.OpenPipe(self._room.id, spec, worker.pipe_address))
        except (WorkerError, ClientError):
            if self._pipes.get(notice.publication) == spec.pipe:
                del self._pipes[notice.publication]
            raise

    async def _end(self, recording: RecordingId) -> None:
        """Have the files closed, and say so to the bus."""
        closed = m.RecordingClosed(recording, max(0.0, time.time() - self._started_at_s), [])
        worker, self._worker = self._worker, None
        problem = self._problem
        self._running.clear()
        self._recording = None
        self._came.set()
        self._close_pipes()
        try:
            if worker is None:
                problem = problem or "recorder_lost"
            else:
                result = await worker.request(m.StopRecording(recording), CLOSING_S)
                assert isinstance(result, m.RecordingClosed)
                closed = result
        except WorkerError as error:
            logger.error("recording %s is not closed properly: %s", recording, error)
            problem = problem or "recorder_lost"
        if problem is None:
            self.info = s.RecordingInfo("idle")
        else:
            self.info = s.RecordingInfo("failed", recording, self._started_at_s, problem)
        self._room.broadcast(s.RecordingChanged, recording=self.info)
        self._announce(events.RecordingStopped(recording, self._room.id, closed.duration_s, closed.tracks, problem))

    async def _fail(self, recording: RecordingId) -> None:
        async with self._changing:
            if self._recording == recording:
                await self._end(recording)

    def _close_pipes(self) -> None:
        pipes, self._pipes = self._pipes, {}
        for pipe in pipes.values():
            self._room.spawn(self._room.media.tell(m.ClosePipe(pipe)))

    def _show(self, state: Literal["starting", "active", "stopping"], problem: str | None = None) -> None:
        self.info = s.RecordingInfo(state, self._recording, self._started_at_s, problem)
        self._room.broadcast(s.RecordingChanged, recording=self.info)

    def _announce(self, event: events.RecordingEvent) -> None:
        self._announcer.say(events.RECORDING_TOPIC, events.encode(event))
