"""The voice detector and the whole stream with real speech, silence and noise; real weights."""

import numpy as np
import pytest

from benchmarks.speech import opus
from control import messages as m
from control.ids import ParticipantId, PipeId, PublicationId, RoomId
from control.pipes import PipeSpec
from tests.rig.media import AMELIE, prompt
from transcription.engine import Engine
from transcription.stream import Stream, Utterance
from transcription.vad import VoiceDetector, open_session

SPEC = PipeSpec(PipeId("p"), PublicationId("mic"), "opus", 48_000, 111, 1, bytes(16), bytes(12))
JOB = m.StartCaptions(RoomId("r"), ParticipantId("anne"), "Anne", SPEC, "fr")


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


def test_sound_from_before_the_voice_was_noticed_belongs_to_the_utterance() -> None:
    """A first consonant is often too quiet to be noticed."""
    stream = Stream(JOB, VoiceDetector(open_session()), lambda _, utterance: None)
    for packet in opus(np.concatenate([np.zeros(48_000, np.int16), prompt(AMELIE.sentences[0][0])])):
        stream.packets([packet])
        if stream.current is not None:
            assert packet.timestamp + 960 - stream.current.start >= 0.3 * 48_000
            return
    raise AssertionError("nobody was heard")


def test_a_sentence_that_is_under_way_when_the_pipe_opens_is_kept_from_the_first_sample() -> None:
    sound = prompt(AMELIE.sentences[2][0])
    middle = len(sound) // 3
    found = heard(np.concatenate([sound[middle:], np.zeros(48_000, np.int16)]))
    assert abs(found[0].start) < 480  # 10 ms: the resampler holds a little back


@pytest.mark.slow
def test_real_weights_write_what_is_said(engine: Engine) -> None:
    name, text = AMELIE.sentences[0]
    (utterance,) = heard(np.concatenate([prompt(name), np.zeros(48_000, np.int16)]))
    words = [word.text for word in engine.transcribe(utterance.samples, "fr", [], timed=True, thorough=True)]
    assert len(set(words) & set(text.split())) > len(text.split()) / 2, words
