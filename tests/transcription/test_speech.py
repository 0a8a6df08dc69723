"""The voice detector and the whole stream with real speech, silence and noise; real weights."""

from pathlib import Path

import av
import numpy as np
import pytest

from control import messages as m
from control.ids import ParticipantId, PipeId, PublicationId, RoomId
from sfu.pipes.receiver import PipePacket
from tests.rig.media import AMELIE, prompt
from transcription import models
from transcription.engine import Engine
from transcription.stream import Stream, Utterance
from transcription.vad import VoiceDetector, open_session

SPEC = m.PipeSpec(PipeId("p"), PublicationId("mic"), "opus", 48_000, 111, 1, bytes(16), bytes(12))
JOB = m.StartCaptions(RoomId("r"), ParticipantId("anne"), "Anne", SPEC)


def opus(samples: np.ndarray) -> list[PipePacket]:
    """Encode int16 samples at 48 kHz as a browser would: 20 ms, 24 kbit/s."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48_000, "mono", "s16", 24_000
    packets = []
    for number, start in enumerate(range(0, len(samples) - 959, 960)):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + 960], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, start
        for packet in encoder.encode(frame):
            packets.append(PipePacket(number, number * 960, False, bytes(packet), 0))
    return packets


def heard(samples: np.ndarray) -> list[Utterance]:
    ended: list[Utterance] = []
    stream = Stream(JOB, VoiceDetector(open_session()), lambda _, utterance: ended.append(utterance))
    for packet in opus(samples):
        stream.packets([packet])
    stream.end()
    return ended


def test_silence_and_noise_make_no_utterance() -> None:
    noise = (np.random.default_rng(1).normal(0, 400, 48_000 * 10)).astype(np.int16)
    assert heard(np.zeros(48_000 * 5, np.int16)) == []
    assert heard(noise) == []


def test_two_sentences_with_a_pause_are_two_utterances_at_their_times() -> None:
    one, other = (prompt(name) for name, _ in AMELIE.sentences[:2])
    pause = np.zeros(48_000 * 2, np.int16)
    found = heard(np.concatenate([pause, one, pause, other, pause]))
    assert len(found) == 2
    assert abs(found[0].start / 48_000 - 2) < 0.6
    assert abs(found[1].start / 48_000 - (4 + len(one) / 48_000)) < 0.6


@pytest.mark.slow
def test_real_weights_write_what_is_said(tmp_path: Path) -> None:
    engine = Engine(models.find("auto", tmp_path), "cpu", "auto", 0)
    name, text = AMELIE.sentences[0]
    (utterance,) = heard(np.concatenate([prompt(name), np.zeros(48_000, np.int16)]))
    words = [word.text for word in engine.transcribe(utterance.samples, "fr", [], final=True)]
    assert len(set(words) & set(text.split())) > len(text.split()) / 2, words


def test_a_missing_model_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(models.ModelMissing, match="/nowhere/model"):
        models.find("/nowhere/model", tmp_path)
