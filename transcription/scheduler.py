"""Who is decoded next: finished utterances first and never dropped, then partial passes when there is time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from control import messages as m
from transcription.engine import Engine
from transcription.stream import Stream, Utterance

logger = logging.getLogger(__name__)

PARTIAL_EVERY_S = 1.0
"""New sound that makes a partial pass worth it; more when decoding is slow."""
IDLE_S = 0.05


class Scheduler:
    """Runs one engine in a thread, one pass at a time, for all streams."""

    def __init__(self, notify: Callable[[m.Notice], None]) -> None:
        self.streams: dict[str, Stream] = {}
        self._finals: deque[tuple[Stream, Utterance]] = deque()
        self._notify = notify
        self._decode_s = 0.0
        """Time of a partial pass lately."""

    def finish(self, stream: Stream, utterance: Utterance) -> None:
        """Queue the final pass of an utterance."""
        self._finals.append((stream, utterance))

    async def run(self, engine: Engine) -> None:
        """Decode until cancelled."""
        while True:
            if self._finals:
                await self._pass(engine, *self._finals.popleft(), final=True)
                continue
            due = self._partial()
            if due is None:
                await asyncio.sleep(IDLE_S)
                continue
            started = time.monotonic()
            await self._pass(engine, *due, final=False)
            self._decode_s += (time.monotonic() - started - self._decode_s) * 0.3

    def _partial(self) -> tuple[Stream, Utterance] | None:
        """Return the utterance with the most sound not shown yet, when it is enough."""
        wait = max(PARTIAL_EVERY_S, 1.5 * self._decode_s * max(1, len(self.streams)))
        best: tuple[Stream, Utterance] | None = None
        most = wait
        for stream in self.streams.values():
            utterance = stream.current
            if utterance is not None and (new := utterance.seconds - utterance.partial_s) >= most:
                best, most = (stream, utterance), new
        return best

    async def _pass(self, engine: Engine, stream: Stream, utterance: Utterance, *, final: bool) -> None:
        samples = utterance.samples
        utterance.partial_s = utterance.seconds
        job = stream.job
        try:
            words = await asyncio.to_thread(engine.transcribe, samples, job.language, job.vocabulary, final=final)
        except (RuntimeError, ValueError):
            logger.exception("a pass failed")
            return
        if not final and stream.current is not utterance:
            return  # its final pass is queued and says it better
        caption = stream.caption(utterance, words, final=final, model=engine.name)
        if caption is not None:
            self._notify(caption)
