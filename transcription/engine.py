"""faster-whisper behind a small face: sound in, words out, and nothing invented (guards in order, each counted)."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass

from faster_whisper import WhisperModel

from transcription.agreement import normal
from transcription.audio import RATE, Samples

MAX_WORDS_PER_S = 9.0
"""Nobody speaks faster; a faster text is invented."""

PHANTOMS = tuple(
    normal(phrase.replace(" ", ""))
    for phrase in (
        "sous-titres réalisés par la communauté d'Amara.org",
        "sous-titres réalisés para la communauté d'Amara.org",
        "sous-titrage Société Radio-Canada",
        "sous-titrage ST' 501",
        "merci d'avoir regardé cette vidéo",
        "merci d'avoir regardé",
        "abonnez-vous",
        "sous-titres par Jérémy Diaz",
        "thanks for watching",
    )
)
"""What Whisper says in silence (whisper.cpp issue 2660, faster-whisper issue 41): suppressed as a whole text only."""


@dataclass(slots=True, frozen=True)
class Word:
    """A word with its times in seconds from the start of the sound, and its probability."""

    text: str
    start_s: float
    end_s: float
    probability: float


class Engine:
    """One model. Not for several threads at once: the scheduler owns it."""

    def __init__(self, model: str, device: str, compute_type: str, threads: int) -> None:
        self.name = model.rsplit("/", 1)[-1]
        self._model = WhisperModel(
            model,
            device=device,
            compute_type="default" if compute_type == "auto" and device == "cuda" else _compute(compute_type),
            cpu_threads=threads,
            local_files_only=model.startswith("/"),
        )
        self.suppressed: Counter[str] = Counter()

    def transcribe(self, samples: Samples, language: str, vocabulary: list[str], *, final: bool) -> list[Word]:
        """Return the words in float32[n] samples, 16 kHz. A final pass searches wider and times each word."""
        seconds = len(samples) / RATE
        segments, _ = self._model.transcribe(
            samples,
            language=language,
            beam_size=5 if final else 1,
            temperature=[0.0, 0.4] if final else 0.0,
            word_timestamps=final,
            condition_on_previous_text=False,
            initial_prompt=", ".join(vocabulary) or None,
            max_new_tokens=16 + int(12 * seconds),
            vad_filter=False,
        )
        words: list[Word] = []
        for segment in segments:
            if segment.no_speech_prob > 0.6 and segment.avg_logprob < -1.0:
                self.suppressed["no_speech"] += 1
            elif segment.compression_ratio > 2.4 or segment.avg_logprob < -1.5:
                self.suppressed["improbable"] += 1
            elif segment.words is not None:
                for word in segment.words:
                    _append(words, word.word, float(word.start), float(word.end), float(word.probability))
            else:
                words += [Word(w, segment.start, segment.end, 0.0) for w in segment.text.split()]
        if normal(unicodedata.normalize("NFKC", "".join(word.text for word in words))) in PHANTOMS:
            self.suppressed["phantom"] += 1
            return []
        if len(words) > 3 + MAX_WORDS_PER_S * seconds:
            self.suppressed["too_fast"] += 1
            return []
        return without_loops(words)


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


def _compute(compute_type: str) -> str:
    return "int8" if compute_type == "auto" else compute_type
