"""One microphone on its way to captions: sound, voice, utterances; what is due is asked of the scheduler."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import numpy as np

from control import messages as m
from control.captions import Caption, CaptionWord
from sfu.pipes.receiver import PipePacket
from transcription.agreement import Agreement
from transcription.audio import RATE, TICKS, OpusDecoder, Samples
from transcription.engine import Word
from transcription.vad import BEGIN, END, WINDOW, VoiceDetector

PRE_ROLL = 12
"""Windows kept from before speech was noticed: about 0.4 s."""
HANGOVER = 16
"""Quiet windows that end an utterance: about 0.5 s."""
MIN_VOICED = 6
"""Windows of voice that make an utterance: shorter ones are a cough or a click."""
MAX_S = 15.0
GAP = "[…]"
"""What stands where words are missing, in any language."""


class Utterance:
    """Words in the making."""

    def __init__(self, start: int) -> None:
        self.segment = secrets.token_hex(8)
        self.start = start
        """RTP timestamp (unwrapped) of its first sample."""
        self.parts: list[Samples] = []
        """Its windows, each of WINDOW samples."""
        self.voiced = 0
        self.revision = 0
        self.agreement = Agreement()
        self.partial_s = 0.0
        """Length at the last partial pass."""

    @property
    def samples(self) -> Samples:
        """All its sound."""
        return np.concatenate(self.parts) if self.parts else np.zeros(0, np.float32)

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.parts) * WINDOW / RATE


class Stream:
    """One microphone. `finish` is called with each utterance that ended, in order."""

    def __init__(
        self, job: m.StartCaptions, detector: VoiceDetector, finish: Callable[[Stream, Utterance], None]
    ) -> None:
        self.job = job
        self.wall_time: Callable[[int], float | None] = lambda _: None
        """Unix time of an unwrapped RTP timestamp: the pipe knows."""
        self.current: Utterance | None = None
        self._detector = detector
        self._finish = finish
        self._decoder = OpusDecoder()
        self._rest = np.zeros(0, np.float32)
        self._before: list[Samples] = []
        self._quiet = 0

    def packets(self, packets: list[PipePacket]) -> None:
        """Take packets in order."""
        for packet in packets:
            samples = self._decoder.decode(packet)
            end = self._decoder.position or 0
            self._rest = np.concatenate([self._rest, samples])
            while len(self._rest) >= WINDOW:
                window, self._rest = self._rest[:WINDOW], self._rest[WINDOW:]
                self._window(window, end - TICKS * (len(self._rest) + WINDOW))

    def end(self) -> None:
        """Finish what is under way."""
        utterance, self.current = self.current, None
        if utterance is not None and utterance.voiced >= MIN_VOICED:
            self._finish(self, utterance)

    def caption(self, utterance: Utterance, words: list[Word], *, final: bool, model: str) -> Caption | None:
        """Make the notice for a pass over an utterance; None when there is nothing to say."""
        texts = [word.text for word in words]
        agreement = utterance.agreement
        if final:
            # The last pass is the careful one: when it hears nothing, what was shown was invented and is withdrawn.
            shown = agreement.final(texts) if texts else []
        else:
            shown = agreement.partial(texts)
        if not shown and utterance.revision == 0:
            return None
        start_s = self._wall(utterance.start)
        timed = [
            CaptionWord(word.text, start_s + word.start_s, start_s + word.end_s, round(word.probability, 3))
            for word in words
            if final
        ]
        return self._notice(utterance, " ".join(shown), " ".join(agreement.stable), timed, final=final, model=model)

    def gap(self, utterance: Utterance) -> Caption:
        """Make the notice for an utterance that will not be captioned: what was shown of it stays."""
        stable = " ".join(utterance.agreement.stable)
        return self._notice(utterance, f"{stable} {GAP}".strip(), stable, [], final=True, model="", gap=True)

    def _notice(
        self,
        utterance: Utterance,
        text: str,
        stable: str,
        words: list[CaptionWord],
        *,
        final: bool,
        model: str,
        gap: bool = False,
    ) -> Caption:
        utterance.revision += 1
        start_s = self._wall(utterance.start)
        return Caption(
            self.job.room,
            self.job.participant,
            self.job.spec.publication,
            self.job.speaker,
            utterance.segment,
            utterance.revision,
            final,
            text,
            len(text) if final else len(stable),
            start_s,
            start_s + utterance.seconds,
            self.job.language,
            model,
            words,
            gap,
        )

    def _wall(self, timestamp: int) -> float:
        return self.wall_time(timestamp) or 0.0

    def _window(self, window: Samples, start: int) -> None:
        probability = self._detector.probability(window)
        utterance = self.current
        if utterance is None:
            self._before.append(window)
            if probability >= BEGIN:
                utterance = self.current = Utterance(start - TICKS * WINDOW * (len(self._before) - 1))
                utterance.parts = self._before
                utterance.voiced = 1
                self._before = []
                self._quiet = 0
            elif len(self._before) > PRE_ROLL:
                del self._before[0]
            return
        utterance.parts.append(window)
        if probability >= END:
            utterance.voiced += 1
            self._quiet = 0
        else:
            self._quiet += 1
        if self._quiet >= HANGOVER or utterance.seconds >= MAX_S:
            self.end()
