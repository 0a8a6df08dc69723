"""Runs what the scheduler says, one pass at a time, in a thread (asyncio)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from control import messages as m
from transcription.engine import Engine, Word
from transcription.scheduler import Pass, Scheduler

logger = logging.getLogger(__name__)

IDLE_S = 0.05


async def run(scheduler: Scheduler, engine: Engine, notify: Callable[[m.Notice], None]) -> None:
    """Decode until cancelled."""
    while True:
        work = scheduler.next()
        if work is not None:
            started = time.monotonic()
            words = await _decode(engine, work)
            scheduler.done(work, words, time.monotonic() - started, engine.name)
        for caption in scheduler.captions():
            notify(caption)
        if work is None:
            await asyncio.sleep(IDLE_S)


async def _decode(engine: Engine, work: Pass) -> list[Word] | None:
    job = work.stream.job
    samples = work.samples  # taken here: the utterance may grow meanwhile
    try:
        return await asyncio.to_thread(
            engine.transcribe, samples, job.language, job.vocabulary, timed=work.final, thorough=work.thorough
        )
    except (RuntimeError, ValueError):
        logger.exception("a pass failed")
        return None
