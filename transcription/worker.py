"""The transcriber as a process: jobs from the control plane, microphones by pipes, captions back."""

from __future__ import annotations

import asyncio
import logging
import time

from configs.settings import Settings
from control import messages as m
from control.worker import WorkerConnection, hello
from sfu.pipes.endpoint import PipeEndpoint
from transcription import models
from transcription.engine import Engine
from transcription.scheduler import Scheduler
from transcription.stream import Stream
from transcription.vad import VoiceDetector, open_session

logger = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Run a transcriber until cancelled. Without a model it stays connected and says why there are no captions."""
    endpoint = await PipeEndpoint.open()
    voice = open_session()

    async def handle(command: m.Command) -> m.Result:
        match command:
            case m.StartCaptions():
                stream = Stream(command, VoiceDetector(voice), scheduler.finish)
                stream.receiver = endpoint.add(command.spec, stream.packets)
                scheduler.streams[command.spec.publication] = stream
                if problem is not None:
                    connection.notify(problem)
            case m.StopCaptions():
                stopped = scheduler.streams.pop(command.publication, None)
                if stopped is not None:
                    endpoint.remove(stopped.job.spec.pipe)
                    stopped.end()
            case _:
                return m.Failed("unknown_command", f"a transcriber has no command {type(command).__name__}")
        return m.Done()

    def load() -> m.Load:
        return m.Load(len(scheduler.streams), time.process_time(), {"datagrams_dropped": endpoint.dropped})

    greeting = hello("transcriber", settings.control_token, endpoint.address)
    connection = WorkerConnection(settings.control_socket, greeting, handle, load)
    scheduler = Scheduler(connection.notify)
    problem: m.CaptionsUnavailable | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(connection.run(), name="control")
            try:
                engine = await asyncio.to_thread(_engine, settings)
            except (models.ModelMissing, RuntimeError, ValueError, OSError) as error:
                logger.error("no captions: %s", error)
                problem = m.CaptionsUnavailable("model_missing", str(error))
                connection.notify(problem)
            else:
                tasks.create_task(scheduler.run(engine), name="scheduler")
    finally:
        endpoint.close()


def _engine(settings: Settings) -> Engine:
    wanted = settings.transcription
    model = models.find(wanted.model, (settings.data / "models").absolute())
    device = "cpu" if wanted.device == "auto" else wanted.device
    return Engine(model, device, wanted.compute_type, wanted.threads)
