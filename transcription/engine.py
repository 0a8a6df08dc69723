"""faster-whisper behind a small face: sound in, words out, and nothing invented (guards in order, each counted)."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel

from configs.settings import TranscriptionSettings
from transcription import models
from transcription.agreement import normal
from transcription.audio import RATE, Samples
from transcription.models import ModelError

MAX_WORDS_PER_S = 9.0
"""Nobody speaks faster; a faster text is invented."""
FAINT = 0.002
"""Loudness (RMS, full scale 1) of the loudest 100 ms below which nobody is heard: 54 dB under full scale."""

_PHANTOM = (
    r"sous ?titr(es|age|é).{0,60} (radio canada|st 501|jérémy diaz)"
    r"|(sous ?titr.{0,60} )?par la communauté d ?amara( org)?"
    r"|sous ?titr(es|age) (réalisés?|fr) .{0,60}|(❤️? )?par sous ?titreur com|amara org|vap n roll thierry"
    r"|merci (beaucoup )?d avoir (regardé|visionné|suivi)( (cette|la|ma|notre) (vidéo|chaîne|émission))?"
    r"|(et )?à (bientôt|la prochaine) pour (une|de) nouvelles? vidéos?"
    r"|(n (oubliez|hésitez) pas (de|à) )?(vous )?abonne[zr]( vous)?( à (la|ma|notre) chaîne( youtube)?)?"
    r"|thanks? (you )?for watching"
)
PHANTOMS = re.compile(f"({_PHANTOM})( ({_PHANTOM}))*")
"""What Whisper says in silence (whisper.cpp issue 2660, faster-whisper issue 41), as `spoken` writes it. A segment that
says just this is not passed on; a sentence that has it in its middle is."""


@dataclass(slots=True, frozen=True)
class Word:
    """A word with its times in seconds from the start of the sound, and its probability."""

    text: str
    start_s: float
    end_s: float
    probability: float


class Engine:
    """One model. Not for several threads at once: the runner owns it."""

    def __init__(self, model: WhisperModel, name: str) -> None:
        self.name = name
        self.suppressed: Counter[str] = Counter()
        self._model = model

    @classmethod
    def load(cls, wanted: TranscriptionSettings, cache: Path) -> Engine:
        """Find and load the model, and try it. Raises ModelError, whose message names the option to mend."""
        device = "cpu" if wanted.device == "auto" else wanted.device
        if device == "cuda" and ctranslate2.get_cuda_device_count() == 0:
            raise ModelError("engine_failed", "transcription.device = 'cuda': this machine has no GPU for CUDA")
        compute_type = wanted.compute_type
        if compute_type == "auto":
            compute_type = "default" if device == "cuda" else "int8"
        able = sorted(ctranslate2.get_supported_compute_types(device))
        if compute_type not in ("default", *able):
            reason = f"this machine can do {', '.join(able)}"
            raise ModelError("engine_failed", f"transcription.compute_type = {compute_type!r}: {reason}")
        option = f"transcription.model = {wanted.model!r}"
        try:
            found = models.find(wanted.model, cache)
        except OSError as error:
            raise ModelError("model_missing", f"{option}: {error}") from error
        local = Path(found).is_dir()
        threads = wanted.threads or len(os.sched_getaffinity(0))
        try:
            model = WhisperModel(
                found, device=device, compute_type=compute_type, cpu_threads=threads, local_files_only=local
            )
            engine = cls(model, Path(found).name)
            known = model.supported_languages
            if wanted.language in known:
                trial = np.random.default_rng(0).normal(0, 0.01, RATE).astype(np.float32)
                engine.transcribe(trial, wanted.language, [], timed=True, thorough=False)
                engine.suppressed.clear()
        except Exception as error:  # the tokenizer's own errors have no other class
            code: models.Code = "model_damaged" if local else "model_missing"
            raise ModelError(code, f"{option} cannot be loaded: {error}") from error
        if wanted.language not in known:
            reason = f"this model knows {', '.join(sorted(known))}"
            raise ModelError("engine_failed", f"transcription.language = {wanted.language!r}: {reason}")
        return engine

    def transcribe(
        self, samples: Samples, language: str, vocabulary: list[str], *, timed: bool, thorough: bool
    ) -> list[Word]:
        """Return the words in float32[n] samples, 16 kHz.

        A `timed` pass gives each word its time; a `thorough` one searches wider, and again where it is in doubt.
        """
        seconds = len(samples) / RATE
        if loudest(samples) < FAINT:
            self.suppressed["faint"] += 1
            return []
        segments, _ = self._model.transcribe(
            samples,
            language=language,
            beam_size=5 if thorough else 1,
            temperature=[0.0, 0.4] if thorough else 0.0,
            word_timestamps=timed,
            condition_on_previous_text=False,
            initial_prompt=", ".join(vocabulary) or None,
            max_new_tokens=16 + int(12 * seconds),
            vad_filter=False,
        )
        words: list[Word] = []
        texts: list[str] = []
        doubtful = False
        for segment in segments:
            texts.append(segment.text)
            doubtful = doubtful or segment.no_speech_prob > 0.5
            if segment.no_speech_prob > 0.6 and segment.avg_logprob < -1.0:
                self.suppressed["no_speech"] += 1
            elif segment.compression_ratio > 2.4 or segment.avg_logprob < -1.5:
                self.suppressed["improbable"] += 1
            elif is_phantom(segment.text):
                self.suppressed["phantom"] += 1
            elif segment.words is not None:
                for word in segment.words:
                    _append(words, word.word, float(word.start), float(word.end), float(word.probability))
            else:
                words += [Word(w, segment.start, segment.end, 0.0) for w in segment.text.split()]
        if words and is_phantom(" ".join(texts)):
            self.suppressed["phantom"] += 1
            return []
        if len(words) > 3 + MAX_WORDS_PER_S * seconds:
            self.suppressed["too_fast"] += 1
            return []
        unlooped = without_loops(words)
        if doubtful and len(unlooped) < len(words):
            self.suppressed["loop"] += 1
            return []
        return unlooped


def loudest(samples: Samples) -> float:
    """Return the loudness of the loudest 100 ms (root mean square, full scale 1)."""
    size = RATE // 10
    padded = np.pad(samples, (0, -len(samples) % size))
    if not len(padded):
        return 0.0
    return float(np.sqrt((padded.reshape(-1, size) ** 2).mean(axis=1)).max())


def is_phantom(text: str) -> bool:
    """Return whether a text is one of the phantoms, said once or several times over, and nothing else."""
    return PHANTOMS.fullmatch(spoken(text)) is not None


def spoken(text: str) -> str:
    """Return the bare words of a text: lower case, without punctuation, apostrophes and hyphens as spaces."""
    plain = unicodedata.normalize("NFC", text).casefold()
    return " ".join("".join(c if c.isalnum() or c in "❤\ufe0f" else " " for c in plain).split())


def without_loops(words: list[Word]) -> list[Word]:
    """Cut a text that begins to repeat itself: the same one to four words more than three times in a row."""
    texts = [normal(word.text) for word in words]
    for size in range(1, 5):
        for start in range(len(texts) - 4 * size + 1):
            unit = texts[start : start + size]
            if all(texts[start + k * size : start + (k + 1) * size] == unit for k in range(4)):
                return words[: start + size]
    return words


def _append(words: list[Word], text: str, start_s: float, end_s: float, probability: float) -> None:
    """Add a word; what does not begin with a space belongs to the word before it (l'indicatif, a comma)."""
    if words and not text.startswith(" "):
        before = words[-1]
        words[-1] = Word(before.text + text, before.start_s, end_s, min(before.probability, probability))
    elif text.strip():
        words.append(Word(text.strip(), start_s, end_s, probability))
