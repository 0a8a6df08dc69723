"""Nothing is written that nobody said: silence, noise and keys give no caption, phantoms are not passed on."""

import subprocess
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.transcription.test_speech import heard
from transcription.engine import Engine

pytestmark = pytest.mark.slow

RATE = 48_000
SECONDS = 20
Samples = NDArray[np.int16]


def noise(level: float) -> Samples:
    return np.random.default_rng(1).normal(0, level, RATE * SECONDS).astype(np.int16)


def fan() -> Samples:
    """Low noise that swells and falls, as a ventilator or a street."""
    white = np.random.default_rng(2).normal(0, 1, RATE * SECONDS)
    spectrum = np.fft.rfft(white)
    spectrum /= np.maximum(1, np.arange(len(spectrum)) / SECONDS / 100)
    low = np.fft.irfft(spectrum, len(white))
    swell = 1 + 0.5 * np.sin(2 * np.pi * 0.2 * np.arange(len(white)) / RATE)
    return (low / np.abs(low).max() * swell * 8_000).astype(np.int16)


def keys() -> Samples:
    """Eight keystrokes a second: short bursts that ring out, down and up."""
    random = np.random.default_rng(3)
    sound = np.zeros(RATE * SECONDS)
    for at_s in np.cumsum(random.exponential(1 / 16, SECONDS * 16)):
        start = int(at_s * RATE)
        length = min(int(0.03 * RATE), len(sound) - start)
        if length > 0:
            ring = np.exp(-np.arange(length) / (0.004 * RATE))
            sound[start : start + length] += random.normal(0, 6_000, length) * ring
    return np.clip(sound, -32_000, 32_000).astype(np.int16)


def hum() -> Samples:
    """The mains, with its harmonics."""
    at_s = np.arange(RATE * SECONDS) / RATE
    return (sum(np.sin(2 * np.pi * 60 * n * at_s) / n for n in range(1, 8)) * 3_000).astype(np.int16)


SOUNDS = {
    "silence": np.zeros(RATE * SECONDS, np.int16),
    "faint noise": noise(30),
    "noise": noise(1_500),
    "fan": fan(),
    "keys": keys(),
    "hum": hum(),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_what_is_no_voice_gives_no_caption(name: str, engine: Engine) -> None:
    for utterance in heard(SOUNDS[name]):
        assert engine.transcribe(utterance.samples, "fr", [], timed=True, thorough=True) == []


@pytest.mark.parametrize("name", ["silence", "faint noise"])
def test_even_without_the_voice_detector_silence_stays_empty(name: str, engine: Engine) -> None:
    quiet = (SOUNDS[name][:: RATE // 16_000] / 32_768).astype(np.float32)
    for seconds in (1, 5, 20):
        for thorough in (False, True):
            assert engine.transcribe(quiet[: seconds * 16_000], "fr", [], timed=True, thorough=thorough) == []


@pytest.mark.parametrize(
    "phrase",
    [
        "Sous-titres réalisés par la communauté d'Amara.org",
        "Merci d'avoir regardé cette vidéo.",
        "Abonnez-vous.",
    ],
)
def test_a_phantom_that_the_model_does_write_is_not_passed_on(phrase: str, engine: Engine, tmp_path: Path) -> None:
    """The surest way to have the model write it is to say it."""
    before = engine.suppressed["phantom"]
    words = []
    for utterance in heard(spoken(phrase, tmp_path)):
        words += engine.transcribe(utterance.samples, "fr", [], timed=True, thorough=True)
    assert words == []
    assert engine.suppressed["phantom"] > before


def spoken(text: str, folder: Path) -> Samples:
    """Say a text by machine; 48 kHz, with silence around it."""
    path = folder / "said.wav"
    subprocess.run(["espeak-ng", "-v", "fr", "-s", "140", "-w", str(path), text], check=True)
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        rate = file.getframerate()
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    parts = [part.to_ndarray()[0] for each in (frame, None) for part in resampler.resample(each)]
    pause = np.zeros(RATE, np.int16)
    return np.concatenate([pause, *parts, pause])
