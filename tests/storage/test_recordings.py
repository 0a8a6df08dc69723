"""Recordings are kept with their files, whichever of their news comes first or twice."""

from dataclasses import replace

from storage.database import Database
from storage.recordings import Recording, Recordings, Track
from storage.visits import Visits

CAMERA = Track("p1-camera.webm", "p1-pub-camera", "p1", "Zoé d'Aoust-L'Écuyer", "camera", "video", "vp8", 0.5, 61.25,
               5_000_000_000, True)  # fmt: skip
MICROPHONE = Track("p1-microphone.webm", "p1-pub-mic", "p1", "Zoé « Zo » 日本", "microphone", "audio", "opus", 0.25,
                   61.5, 500_000, False)  # fmt: skip
OVER = Recording("r1", "abcd", "stopped", 1_795_000_000.125, 62.0, None, (MICROPHONE, CAMERA))


async def test_a_recording_runs_then_is_over_with_its_files_in_the_order_of_their_start(database: Database) -> None:
    recordings = Recordings(database)
    await recordings.started("r1", "abcd", OVER.started_at_s)
    running = Recording("r1", "abcd", "active", OVER.started_at_s, None, None)
    assert await recordings.get("abcd", "r1") == running
    assert await recordings.unsettled() == [running]
    await recordings.stopped(replace(OVER, tracks=(CAMERA, MICROPHONE)))
    assert await recordings.get("abcd", "r1") == OVER
    assert await recordings.unsettled() == []


async def test_news_that_come_twice_or_in_the_wrong_order_change_nothing(database: Database) -> None:
    recordings = Recordings(database)
    await recordings.stopped(OVER)
    await recordings.started("r1", "abcd", 1.0)
    await recordings.stopped(OVER)
    assert await recordings.of_visit("abcd") == [OVER]


async def test_a_recording_is_unsettled_until_it_is_over_and_while_a_dead_recorders_files_are_unknown(
    database: Database,
) -> None:
    recordings = Recordings(database)
    lost = replace(OVER, id="lost", problem="recorder_lost", tracks=())
    for recording in (OVER, lost, replace(OVER, id="full", state="failed", problem="disk_full", tracks=())):
        await recordings.stopped(recording)
    await recordings.started("running", "abcd", 5.0)
    assert [recording.id for recording in await recordings.unsettled()] == ["running", "lost"]
    await recordings.stopped(replace(lost, tracks=(CAMERA,)))
    assert [recording.id for recording in await recordings.unsettled()] == ["running"]


async def test_a_recording_is_found_by_its_own_visit_only(database: Database) -> None:
    recordings = Recordings(database)
    await Visits(database).create("other")
    await recordings.stopped(OVER)
    assert await recordings.get("other", "r1") is None
    assert await recordings.get("abcd", "r2") is None
    assert await recordings.of_visit("other") == []


async def test_several_recordings_of_a_visit_come_in_their_order_each_with_its_own_files(database: Database) -> None:
    recordings = Recordings(database)
    later = Recording("r0", "abcd", "failed", OVER.started_at_s + 100, 3.0, "disk_full", (CAMERA,))
    await recordings.stopped(later)
    await recordings.stopped(OVER)
    assert await recordings.of_visit("abcd") == [OVER, later]
