"""Overload: partial captions go first, then effort, then words with a gap in their place; nothing without a word."""

import numpy as np

from control import messages as m
from control.ids import ParticipantId, PipeId, PublicationId, RoomId
from control.pipes import PipeSpec
from transcription.engine import Word
from transcription.scheduler import BETWEEN, GIVE_UP_S, LATE_S, MAX_WAITING_S, Pass, Scheduler
from transcription.stream import Stream, Utterance
from transcription.vad import WINDOW, VoiceDetector, open_session

RATE = 16_000


def stream(scheduler: Scheduler, name: str) -> Stream:
    spec = PipeSpec(PipeId(name), PublicationId(name), "opus", 48_000, 111, 1, bytes(16), bytes(12))
    job = m.StartCaptions(RoomId("r"), ParticipantId(name), name, spec, "fr")
    made = scheduler.streams[name] = Stream(job, VoiceDetector(open_session()), scheduler.finish)
    made.wall_time = lambda timestamp: timestamp / 48_000
    return made


def utterance(start_s: float, seconds: float) -> Utterance:
    made = Utterance(int(start_s * 48_000))
    made.parts = [np.zeros(WINDOW, np.float32)] * round(seconds * RATE / WINDOW)
    return made


def words(text: str, start_s: float = 0.0) -> list[Word]:
    return [Word(word, start_s + 0.2 * n, start_s + 0.2 * n + 0.1, 0.9) for n, word in enumerate(text.split())]


def slow(scheduler: Scheduler, anne: Stream, took_s: float) -> None:
    """Let one final pass take so long."""
    scheduler.finish(anne, utterance(0, 2))
    work = scheduler.next()
    assert work is not None
    scheduler.done(work, words("bonjour"), took_s, "base")
    scheduler.captions()


def test_finished_utterances_go_before_partial_passes() -> None:
    scheduler = Scheduler()
    anne, luc = stream(scheduler, "anne"), stream(scheduler, "luc")
    anne.current = utterance(0, 3)
    scheduler.finish(luc, utterance(0, 2))
    first, second = scheduler.next(), scheduler.next()
    assert first is not None
    assert second is not None
    assert (first.final, first.thorough, first.stream) == (True, True, luc)
    assert (second.final, second.stream) == (False, anne)
    assert scheduler.next() is None


def test_in_haste_utterances_of_one_microphone_are_decoded_together_with_less_effort_and_each_gets_its_words() -> None:
    scheduler = Scheduler()
    anne, luc = stream(scheduler, "anne"), stream(scheduler, "luc")
    slow(scheduler, anne, LATE_S / 2)
    for number in range(3):
        scheduler.finish(anne, utterance(10 * number, 2))
        scheduler.finish(luc, utterance(10 * number, 2))
    work = scheduler.next()
    assert work is not None
    assert (len(work.utterances), work.stream, work.thorough) == (3, anne, False)
    second_s = work.utterances[0].seconds + len(BETWEEN) / RATE
    said = words("un deux") + words("trois", second_s) + words("quatre cinq", 2 * second_s)
    scheduler.done(work, said, LATE_S / 2, "base")
    captions = scheduler.captions()
    assert [caption.text for caption in captions] == ["un deux", "trois", "quatre cinq"]
    assert [round(caption.words[0].start_at_s) for caption in captions] == [0, 10, 20]
    other = scheduler.next()
    assert other is not None
    assert (other.stream, len(other.utterances)) == (luc, 3)


def test_the_sound_of_several_utterances_is_put_together_with_silence_between() -> None:
    scheduler = Scheduler()
    anne = stream(scheduler, "anne")
    together = Pass(anne, [utterance(0, 1), utterance(5, 2)], final=True, thorough=False)
    seconds = sum(each.seconds for each in together.utterances) + len(BETWEEN) / RATE
    assert abs(len(together.samples) / RATE - seconds) < 0.001


def test_effort_comes_back_when_the_queue_is_short_again() -> None:
    scheduler = Scheduler()
    anne = stream(scheduler, "anne")
    slow(scheduler, anne, LATE_S + 1)
    scheduler.finish(anne, utterance(0, 2))
    work = scheduler.next()
    assert work is not None
    assert not work.thorough
    assert scheduler.late
    for _ in range(30):
        scheduler.done(work, words("oui"), 0.2, "base")
    assert scheduler.next() is None
    assert not scheduler.late


def test_what_would_come_far_too_late_is_a_gap_and_later_words_come() -> None:
    scheduler = Scheduler()
    people = [stream(scheduler, f"person-{number}") for number in range(10)]
    slow(scheduler, people[0], GIVE_UP_S / 4)
    for number, person in enumerate(people):
        scheduler.finish(person, utterance(number, 3))
    work = scheduler.next()
    assert work is not None
    gaps = scheduler.captions()
    assert 0 < len(gaps) < 10
    assert scheduler.gaps == len(gaps)
    assert all(caption.gap and caption.final and caption.text == "[…]" for caption in gaps)
    assert [caption.participant for caption in gaps] == [f"person-{number}" for number in range(len(gaps))]
    assert work.stream is people[len(gaps)]


def test_what_was_shown_before_a_gap_stays() -> None:
    scheduler = Scheduler()
    anne = stream(scheduler, "anne")
    begun = utterance(0, 4)
    begun.agreement.partial(["Bonjour", "madame", "la"])
    begun.agreement.partial(["Bonjour", "madame", "la", "juge"])
    caption = anne.gap(begun)
    assert caption.text == "Bonjour madame la […]"


def test_what_the_last_pass_does_not_hear_is_withdrawn() -> None:
    scheduler = Scheduler()
    anne = stream(scheduler, "anne")
    begun = anne.current = utterance(0, 3)
    for text in ("merci d'avoir", "merci d'avoir regardé", "merci d'avoir regardé cette"):
        begun.partial_s = 0
        work = scheduler.next()
        assert work is not None
        scheduler.done(work, words(text), 0.1, "base")
    assert scheduler.captions()[-1].stable_chars > 0
    anne.current = None
    scheduler.finish(anne, begun)
    work = scheduler.next()
    assert work is not None
    scheduler.done(work, [], 0.1, "base")
    (caption,) = scheduler.captions()
    assert (caption.final, caption.text, caption.segment) == (True, "", begun.segment)


def test_without_a_model_the_sound_that_waits_is_bounded() -> None:
    scheduler = Scheduler()
    anne = stream(scheduler, "anne")
    for number in range(30):
        scheduler.finish(anne, utterance(10 * number, 10))
    assert scheduler.waiting_s <= MAX_WAITING_S
    assert len(scheduler.captions()) + scheduler.waiting_s // 9.9 == 30


def test_a_pass_that_fails_leaves_a_gap() -> None:
    scheduler = Scheduler()
    anne = stream(scheduler, "anne")
    scheduler.finish(anne, utterance(0, 2))
    work = scheduler.next()
    assert work is not None
    scheduler.done(work, None, 0.1, "base")
    assert [caption.gap for caption in scheduler.captions()] == [True]
