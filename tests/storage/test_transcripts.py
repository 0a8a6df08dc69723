"""Transcripts are kept word by word; what comes twice is kept once."""

from dataclasses import replace

from storage.database import Database
from storage.recordings import Recording, Recordings
from storage.transcripts import Segment, SegmentWord, Transcripts

HELLO = Segment(
    "s1", "abcd", 3, "p1", "p1-mic", "Zoé", "Bonjour, « ça » va ?", "fr", "base", 100.0, 102.0,
    (SegmentWord("Bonjour,", 100.0, 100.5, 0.98), SegmentWord("« ça »", 100.5, 101.0, 0.5),
     SegmentWord("va ?", 101.0, 102.0, 1.0)),
)  # fmt: skip


async def test_a_segment_keeps_its_words_with_times_and_probabilities(database: Database) -> None:
    transcripts = Transcripts(database)
    await transcripts.add([HELLO])
    assert await transcripts.between("abcd", 0.0, 1000.0) == [HELLO]


async def test_a_segment_that_comes_again_is_kept_once_and_only_a_later_revision_replaces_it(
    database: Database,
) -> None:
    transcripts = Transcripts(database)
    await transcripts.add([HELLO, HELLO])
    await transcripts.add([HELLO, replace(HELLO, revision=2, text="older")])
    assert await transcripts.between("abcd", 0.0, 1000.0) == [HELLO]
    corrected = replace(HELLO, revision=4, text="Bonsoir.", words=())
    await transcripts.add([corrected])
    assert await transcripts.between("abcd", 0.0, 1000.0) == [corrected]


async def test_a_time_of_a_visit_holds_what_reaches_into_it_in_the_order_of_speaking(database: Database) -> None:
    transcripts = Transcripts(database)
    segments = [replace(HELLO, id=f"s{n}", start_at_s=100.0 + 10 * n, end_at_s=105.0 + 10 * n) for n in range(5)]
    await transcripts.add([*reversed(segments), replace(HELLO, visit="other")])
    assert await transcripts.between("abcd", 114.0, 130.0) == segments[1:3]
    assert await transcripts.between("abcd", 115.0, 120.0) == []
    assert await transcripts.between("nobody", 0.0, 1000.0) == []


async def test_the_character_that_postgresql_refuses_is_left_out(database: Database) -> None:
    transcripts = Transcripts(database)
    word = SegmentWord("a\0b", 100.0, 101.0, 1.0)
    await transcripts.add([replace(HELLO, text="a\0b", speaker="Z\0oé", words=(word,))])
    (found,) = await transcripts.between("abcd", 0.0, 1000.0)
    assert (found.text, found.speaker, found.words[0].text) == ("ab", "Zoé", "ab")


async def test_what_was_said_while_nothing_was_recorded_is_forgotten_after_a_while(database: Database) -> None:
    transcripts, recordings = Transcripts(database), Recordings(database)
    await recordings.stopped(Recording("r1", "abcd", "stopped", 200.0, 50.0, None))
    await recordings.started("r2", "abcd", 400.0)
    segments = [replace(HELLO, id=name, start_at_s=start, end_at_s=start + 10)
                for name, start in (("before", 180.0), ("into", 195.0), ("during", 220.0), ("out of", 245.0),
                                    ("after", 255.0), ("while the second runs", 450.0), ("recent", 900.0))]  # fmt: skip
    await transcripts.add([*segments, replace(HELLO, visit="never recorded")])
    assert await transcripts.forget_unrecorded(400.0, 500.0) == 0
    assert await transcripts.forget_unrecorded(0.0, 500.0) == 3
    kept = [segment.id for segment in await transcripts.between("abcd", 0.0, 1000.0)]
    assert kept == ["into", "during", "out of", "while the second runs", "recent"]
    assert await transcripts.between("never recorded", 0.0, 1000.0) == []
    assert await transcripts.forget_unrecorded(0.0, 500.0) == 0


async def test_adding_nothing_is_no_error(database: Database) -> None:
    await Transcripts(database).add([])
