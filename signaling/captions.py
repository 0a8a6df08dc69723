"""Which microphones of a room are captioned, by which transcriber."""

from __future__ import annotations

from typing import TYPE_CHECKING

from control import messages as m
from control.captions import CAPTION_PROBLEMS
from control.ids import ParticipantId, PipeId, PublicationId
from signaling.pipes import new_pipe
from signaling.workers import Worker, WorkerError, WorkerHub

if TYPE_CHECKING:
    from signaling.room import Room


class CaptionJobs:
    """One caption job for each live microphone, while there is a transcriber."""

    def __init__(self, room: Room, hub: WorkerHub) -> None:
        self._room = room
        self._hub = hub
        self._wanted: dict[PublicationId, m.PublicationStarted] = {}
        self._running: dict[PublicationId, tuple[Worker, PipeId]] = {}

    def start(self, notice: m.PublicationStarted) -> None:
        """Caption a microphone whose packets have begun to arrive."""
        self._wanted[notice.publication] = notice
        self._room.spawn(self._start(notice))

    def stop(self, publication: PublicationId) -> None:
        """End the captions of a publication that is gone."""
        self._wanted.pop(publication, None)
        running = self._running.pop(publication, None)
        if running is not None and not running[0].lost:
            self._room.spawn(running[0].request(m.StopCaptions(publication)))

    def stop_all(self) -> None:
        """End the captions of everybody."""
        for publication in list(self._wanted):
            self.stop(publication)

    def worker_lost(self, worker: Worker) -> None:
        """Note that a transcriber is gone; its microphones wait for another one."""
        if self._let_go(worker):
            self._room.set_captions(available=False)
            self.resume()

    def unavailable(self, worker: Worker, code: str) -> None:
        """Note that a transcriber cannot caption what it took on, and say why; another one may."""
        if self._let_go(worker):
            self._room.set_captions(available=False, problem=code)
            other = self._hub.choose("transcriber")
            if other is not None and other.problem is None:
                self.resume()

    def resume(self) -> None:
        """Start what waits for a transcriber."""
        for name, notice in self._wanted.items():
            if name not in self._running:
                self._room.spawn(self._start(notice))

    def _let_go(self, worker: Worker) -> bool:
        """Forget the jobs of a transcriber and close their pipes; return whether there were any."""
        lost = [(name, pipe) for name, (owner, pipe) in self._running.items() if owner is worker]
        for name, pipe in lost:
            del self._running[name]
            self._room.spawn(self._room.media.request(m.ClosePipe(pipe)))
        return bool(lost)

    async def _start(self, notice: m.PublicationStarted) -> None:
        worker = self._hub.choose("transcriber")
        info = self._room.publications.get(notice.publication)
        if worker is None or worker.pipe_address is None or info is None or notice.publication in self._running:
            return
        spec = new_pipe("captions", notice)
        job = self._running[notice.publication] = worker, spec.pipe
        speaker = self._room.name_of(info.participant) or ""
        try:
            await worker.request(m.StartCaptions(self._room.id, ParticipantId(info.participant), speaker, spec))
        except WorkerError as error:
            if self._running.get(notice.publication) == job:
                del self._running[notice.publication]
            if error.code in CAPTION_PROBLEMS:
                worker.problem = error.code
                self._room.set_captions(available=False, problem=error.code)
            raise
        if self._running.get(notice.publication) != job:
            return
        await self._room.media.request(m.OpenPipe(self._room.id, spec, worker.pipe_address))
        if self._running.get(notice.publication) == job:
            self._room.set_captions(available=True)
        else:
            await self._room.media.request(m.ClosePipe(spec.pipe))
