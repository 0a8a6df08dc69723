"""The transcriber as a process: jobs from the control plane, microphones by pipes, captions back."""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec

from configs.settings import Settings, TranscriptionSettings
from control import messages as m
from control.captions import CaptionsUnavailable
from control.worker import WorkerConnection, hello
from sfu.pipes.endpoint import PipeEndpoint
from transcription import runner
from transcription.engine import Engine
from transcription.models import ModelError
from transcription.scheduler import Scheduler
from transcription.stream import Stream
from transcription.vad import VoiceDetector, open_session

logger = logging.getLogger(__name__)


class Transcriber:
    """Jobs and their streams. Without a model it stays connected, refuses jobs and says why."""

    def __init__(self, endpoint: PipeEndpoint, settings: TranscriptionSettings) -> None:
        self.scheduler = Scheduler()
        self._endpoint = endpoint
        self._settings = settings
        self._voice = open_session()
        self._problem: ModelError | None = None
        self._engine: Engine | None = None

    async def handle(self, command: m.Command) -> m.Result:
        """Carry out one command."""
        match command:
            case m.StartCaptions():
                if self._problem is not None:
                    return m.Failed(self._problem.code, str(self._problem))
                job = msgspec.structs.replace(command, language=command.language or self._settings.language)
                stream = Stream(job, VoiceDetector(self._voice), self.scheduler.finish)
                stream.wall_time = self._endpoint.add(command.spec, stream.packets).wall_time
                self.scheduler.streams[command.spec.publication] = stream
            case m.StopCaptions():
                self._stop(command.publication)
            case _:
                return m.Failed("unknown_command", f"a transcriber has no command {type(command).__name__}")
        return m.Done()

    def load(self) -> m.Load:
        """Report."""
        scheduler = self.scheduler
        gauges = {
            "datagrams_dropped": float(self._endpoint.dropped),
            "waiting_s": scheduler.waiting_s,
            "late": float(scheduler.late),
            "gaps": float(scheduler.gaps),
        }
        if self._engine is not None:
            gauges |= {f"suppressed_{reason}": float(count) for reason, count in self._engine.suppressed.items()}
        return m.Load(len(scheduler.streams), time.process_time(), gauges)

    def ready(self, engine: Engine) -> None:
        """Take the engine that has been loaded."""
        self._engine = engine

    def unable(self, problem: ModelError) -> CaptionsUnavailable:
        """Give up what was taken on while the model was loading; return what to tell."""
        self._problem = problem
        for publication in list(self.scheduler.streams):
            self._stop(publication)
        return CaptionsUnavailable(problem.code, str(problem))

    def _stop(self, publication: str) -> None:
        stopped = self.scheduler.streams.pop(publication, None)
        if stopped is not None:
            self._endpoint.remove(stopped.job.spec.pipe)
            stopped.end()


async def run(settings: Settings) -> None:
    """Run a transcriber until cancelled."""
    endpoint = await PipeEndpoint.open()
    transcriber = Transcriber(endpoint, settings.transcription)
    greeting = hello("transcriber", settings.control_token, endpoint.address)
    connection = WorkerConnection(settings.control_socket, greeting, transcriber.handle, transcriber.load)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(connection.run(), name="control")
            try:
                cache = (settings.data / "models").absolute()
                engine = await asyncio.to_thread(Engine.load, settings.transcription, cache)
            except ModelError as error:
                logger.error("no captions: %s", error)
                connection.notify(transcriber.unable(error))
            else:
                transcriber.ready(engine)
                tasks.create_task(runner.run(transcriber.scheduler, engine, connection.notify), name="scheduler")
    finally:
        endpoint.close()
