"""Spoken French with a reference: Debian's telephone prompts by a Québec speaker, as the Opus a browser would send."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from sfu.pipes.receiver import PipePacket

SOUNDS = Path("/usr/share/asterisk/sounds/fr_CA_f_June")
"""Debian's asterisk-core-sounds-fr-g722: a Québec speaker, 16 kHz."""
TEXTS = Path("/usr/share/doc/asterisk-core-sounds-fr/core-sounds-fr.txt.gz")
PACKAGES = "asterisk-core-sounds-fr asterisk-core-sounds-fr-g722"
RATE = 48_000
FRAME = 960
"""Samples of 20 ms."""

Samples = npt.NDArray[np.int16]


@dataclass(slots=True, frozen=True)
class Prompt:
    """One prompt: its name, and what is said in it (slips of spelling included)."""

    name: str
    text: str

    def samples(self) -> Samples:
        """Return int16[n], 48 kHz mono."""
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        parts: list[Samples] = []
        with av.open(str(SOUNDS / f"{self.name}.g722"), format="g722") as container:
            for frame in [*container.decode(audio=0), None]:
                parts += [resampled.to_ndarray()[0] for resampled in resampler.resample(frame)]
        return np.concatenate(parts)


def prompts(least_words: int = 5) -> list[Prompt]:
    """Return the prompts of at least so many words, by name. Raises FileNotFoundError when they are not installed."""
    found = []
    for line in gzip.decompress(TEXTS.read_bytes()).decode().splitlines():
        name, _, text = line.strip().partition(": ")
        spoken = text and not re.search(r"[\[(]", text)
        if spoken and len(text.split()) >= least_words and (SOUNDS / f"{name}.g722").exists():
            found.append(Prompt(name, text))
    return sorted(found, key=lambda prompt: prompt.name)


def opus(samples: Samples, bitrate_bps: int = 24_000) -> list[PipePacket]:
    """Encode int16[n], 48 kHz mono, as a browser would: packets of 20 ms, in order, as they leave a pipe."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE, "mono", "s16", bitrate_bps
    packets = []
    for number, start in enumerate(range(0, len(samples) - FRAME + 1, FRAME)):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + FRAME], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, start
        for packet in encoder.encode(frame):
            packets.append(PipePacket(number, number * FRAME, False, bytes(packet), 0))
    return packets


def voiced(samples: Samples) -> tuple[float, float]:
    """Return where the voice begins and ends in int16[n], in seconds: 20 ms louder than a twentieth of the loudest."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    loudness = np.sqrt((frames**2).mean(axis=1))
    (loud,) = np.nonzero(loudness > loudness.max() / 20)
    return float(loud[0] * FRAME / RATE), float((loud[-1] + 1) * FRAME / RATE)
