"""Who is decoded next, and what is given up when the machine is too slow (sans-IO: `now` and durations come in).

Partial passes are given up first: they run only while no finished utterance waits. When finished utterances wait too
long, they are decoded with less effort, and those of one microphone together (Whisper costs as much for 3 s as for
28 s). What would come far too late even so is left out with a gap in its place: nothing disappears without a word.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

import numpy as np

from control.captions import Caption
from transcription.audio import RATE, Samples
from transcription.engine import Word
from transcription.stream import Stream, Utterance

logger = logging.getLogger(__name__)

PARTIAL_EVERY_S = 1.0
"""New sound that makes a partial pass worth it; more when decoding is slow."""
LATE_S = 4.0
"""A finished utterance that would wait longer than this calls for less effort…"""
RELAXED_S = 1.0
"""… until the wait is below this."""
GIVE_UP_S = 20.0
"""Nobody reads a caption that comes later than this."""
MAX_WAITING_S = 120.0
"""Sound that may wait in all, also while there is no model yet."""
TOGETHER_S = 28.0
"""Length of utterances decoded as one; Whisper hears 30 s at once."""
BETWEEN = np.zeros(int(0.4 * RATE), np.float32)
"""Silence between them."""


@dataclass(slots=True, frozen=True)
class Pass:
    """Work for the engine: one utterance, or several finished ones of one stream."""

    stream: Stream
    utterances: list[Utterance]
    final: bool
    thorough: bool

    @property
    def samples(self) -> Samples:
        """The sound."""
        parts: list[Samples] = []
        for utterance in self.utterances:
            parts += [BETWEEN, utterance.samples] if parts else [utterance.samples]
        return np.concatenate(parts)

    def split(self, words: list[Word]) -> list[list[Word]]:
        """Give each utterance its words, with times from its own start."""
        if len(self.utterances) == 1:
            return [words]
        shares: list[list[Word]] = []
        start_s, between_s = 0.0, len(BETWEEN) / RATE
        for utterance in self.utterances:
            end_s = start_s + utterance.seconds
            last = utterance is self.utterances[-1]
            share = [
                Word(word.text, word.start_s - start_s, word.end_s - start_s, word.probability)
                for word in words
                if start_s - between_s / 2 <= (word.start_s + word.end_s) / 2 or not shares
                if (word.start_s + word.end_s) / 2 < end_s + between_s / 2 or last
            ]
            shares.append(share)
            start_s = end_s + between_s
        return shares


class Scheduler:
    """All streams of one engine. After every step take `captions`."""

    def __init__(self, *, partials: bool = True) -> None:
        """Without `partials` there are final captions only."""
        self.partials = partials
        self.streams: dict[str, Stream] = {}
        self.late = False
        self.gaps = 0
        self._finals: deque[tuple[Stream, Utterance]] = deque()
        self._captions: list[Caption] = []
        self._partial_took_s = 0.0
        self._final_took_s = 0.0

    @property
    def waiting_s(self) -> float:
        """Sound of finished utterances that waits."""
        return sum(utterance.seconds for _, utterance in self._finals)

    def finish(self, stream: Stream, utterance: Utterance) -> None:
        """Queue the final pass of an utterance."""
        self._finals.append((stream, utterance))
        while self.waiting_s > MAX_WAITING_S:
            self._give_up(*self._finals.popleft())

    def captions(self) -> list[Caption]:
        """Return and forget what is to be told."""
        captions, self._captions = self._captions, []
        return captions

    def next(self) -> Pass | None:
        """Return what is to be decoded now."""
        self._judge()
        if not self._finals:
            return self._partial() if self.partials else None
        stream, first = self._finals.popleft()
        together = [first]
        if self.late:
            seconds = first.seconds
            for other, utterance in list(self._finals):
                if other is not stream:
                    continue
                seconds += len(BETWEEN) / RATE + utterance.seconds
                if seconds > TOGETHER_S:
                    break
                together.append(utterance)
                self._finals.remove((other, utterance))
        return Pass(stream, together, final=True, thorough=not self.late)

    def done(self, work: Pass, words: list[Word] | None, took_s: float, model: str) -> None:
        """Take the outcome of a pass; None means that it failed."""
        if not work.final:
            self._partial_took_s += (took_s - self._partial_took_s) * 0.3
            (utterance,) = work.utterances
            if words is not None and work.stream.current is utterance:  # else its final pass says it better
                self._tell(work.stream.caption(utterance, words, final=False, model=model))
            return
        self._final_took_s += (took_s - self._final_took_s) * (0.3 if self._final_took_s else 1.0)
        if words is None:
            for utterance in work.utterances:
                self._give_up(work.stream, utterance)
            return
        for utterance, share in zip(work.utterances, work.split(words), strict=True):
            self._tell(work.stream.caption(utterance, share, final=True, model=model))

    def _tell(self, caption: Caption | None) -> None:
        if caption is not None:
            self._captions.append(caption)

    def _judge(self) -> None:
        """See how long the last one in the queue will wait, and what follows from it."""
        wait_s = self._passes() * self._final_took_s
        if self.late != (wait_s > (RELAXED_S if self.late else LATE_S)):
            self.late = not self.late
            if self.late:
                logger.warning("captions are late by %.0f s: this machine is too slow for so many voices", wait_s)
            else:
                logger.info("captions are in time again")
        while self._passes() * self._final_took_s > GIVE_UP_S:
            self._give_up(*self._finals.popleft())

    def _passes(self) -> int:
        """Return how many passes the queue is worth; in haste a stream's utterances go together."""
        if not self.late:
            return len(self._finals)
        seconds: dict[int, float] = {}
        for stream, utterance in self._finals:
            seconds[id(stream)] = seconds.get(id(stream), 0.0) + utterance.seconds
        return sum(-(-int(total) // int(TOGETHER_S)) or 1 for total in seconds.values())

    def _give_up(self, stream: Stream, utterance: Utterance) -> None:
        self.gaps += 1
        logger.warning("%.1f s of speech are not captioned: a gap stands in their place", utterance.seconds)
        self._captions.append(stream.gap(utterance))

    def _partial(self) -> Pass | None:
        """Return the utterance with the most sound not shown yet, when it is enough."""
        most = max(PARTIAL_EVERY_S, 1.5 * self._partial_took_s * max(1, len(self.streams)))
        best: tuple[Stream, Utterance] | None = None
        for stream in self.streams.values():
            utterance = stream.current
            if utterance is not None and (new := utterance.seconds - utterance.partial_s) >= most:
                best, most = (stream, utterance), new
        if best is None:
            return None
        stream, utterance = best
        utterance.partial_s = utterance.seconds
        return Pass(stream, [utterance], final=False, thorough=False)
