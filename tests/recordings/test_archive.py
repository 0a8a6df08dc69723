"""The archive: what the bus tells and the manifests say is kept, once, whatever was told twice, late or not at all."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from control import events
from control.captions import Caption, CaptionWord
from control.ids import ParticipantId, PublicationId, RecordingId, RoomId
from control.tracks import RecordedTrack
from recordings import manifest as manifests
from recordings.archive import Archive
from recordings.manifest import Manifest
from storage.bus import MemoryBus
from storage.database import Database
from storage.directory import MemoryDirectory
from storage.recordings import Recording, Recordings, Track
from storage.transcripts import Segment, SegmentWord, Transcripts

START = 1_795_000_000.0
TRACK = RecordedTrack(PublicationId("p1-cam"), ParticipantId("p1"), "Zoé « Zo »", "camera", "video", "vp8", "a.webm",
                      0.5, 10.0, 1234, True)  # fmt: skip
KEPT_TRACK = Track("a.webm", "p1-cam", "p1", "Zoé « Zo »", "camera", "video", "vp8", 0.5, 10.0, 1234, True)


@dataclass
class Place:
    """An archive with everything around it."""

    archive: Archive
    bus: MemoryBus
    directory: MemoryDirectory
    database: Database
    recordings: Recordings
    transcripts: Transcripts
    folder: Path
    now: float = START + 100

    def write(self, manifest: Manifest) -> None:
        """Be a recorder that wrote this manifest."""
        folder = self.folder / manifest.id
        folder.mkdir(parents=True, exist_ok=True)
        manifests.save(folder, manifest)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the archive while the block lasts."""
        listening = asyncio.Event()
        task = asyncio.create_task(self.archive.run(listening))
        await asyncio.wait_for(listening.wait(), 60)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def until_recorded(self, wanted: Recording | None) -> None:
        """Wait until the database says so."""
        async with asyncio.timeout(60):
            while await self.recordings.get("abcd", "r1") != wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def until_said(self, count: int) -> list[Segment]:
        """Wait until so many segments are kept."""
        async with asyncio.timeout(60):
            while len(said := await self.transcripts.between("abcd", 0, 2e9)) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return said


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    database = await Database.open(f"sqlite:///{tmp_path}/parvis.db")
    bus, directory = MemoryBus(), MemoryDirectory()
    recordings, transcripts = Recordings(database), Transcripts(database)
    folder = tmp_path / "recordings"
    archive = Archive(bus=bus, directory=directory, recordings=recordings, transcripts=transcripts, folder=folder,
                      clock=lambda: it.now)  # fmt: skip
    it = Place(archive, bus, directory, database, recordings, transcripts, folder)
    yield it
    await database.close()


def caption(text: str, *, final: bool = True, revision: int = 1, segment: str | None = None) -> Caption:
    words = [CaptionWord(text, START + 1, START + 2, 0.875)] if final else []
    return Caption(RoomId("abcd"), ParticipantId("p1"), PublicationId("p1-mic"), "Zoé « Zo »",
                   segment or secrets.token_hex(8), revision, final, text, 0, START + 1, START + 2, "fr", "base",
                   words)  # fmt: skip


def stopped(problem: str | None = None, *tracks: RecordedTrack) -> events.RecordingStopped:
    return events.RecordingStopped(RecordingId("r1"), "abcd", 12.0, list(tracks), problem)


STARTED = events.RecordingStarted(RecordingId("r1"), "abcd", START)
OVER = Recording("r1", "abcd", "stopped", START, 12.0, None, (KEPT_TRACK,))


async def test_a_recording_that_is_told_on_the_bus_is_kept(place: Place) -> None:
    # Somebody holds the room; without, what is active and has no files is taken for lost when the archive starts.
    assert await place.directory.compare_and_set("room/abcd", None, "held", 300)
    async with place.running():
        await place.bus.publish(events.RECORDING_TOPIC, events.encode(STARTED))
        await place.until_recorded(Recording("r1", "abcd", "active", START, None, None))
        for _ in range(2):
            await place.bus.publish(events.RECORDING_TOPIC, events.encode(stopped(None, TRACK)))
            await place.bus.publish(events.RECORDING_TOPIC, events.encode(STARTED))
        await place.until_recorded(OVER)


async def test_a_recording_whose_disk_was_full_is_kept_as_failed_with_its_files(place: Place) -> None:
    await place.archive.take_recordings([events.encode(STARTED), events.encode(stopped("disk_full", TRACK))])
    await place.until_recorded(replace(OVER, state="failed", problem="disk_full"))


async def test_an_end_without_a_beginning_is_kept_and_the_manifest_corrects_its_start(place: Place) -> None:
    await place.archive.take_recordings([events.encode(stopped(None, TRACK))])
    await place.until_recorded(replace(OVER, started_at_s=place.now - 12))
    place.write(Manifest(RecordingId("r1"), "abcd", START, "stopped", 12.0, None, [TRACK]))
    await place.archive.reconcile()
    await place.until_recorded(OVER)


async def test_final_captions_are_kept_once_with_their_words_and_partial_ones_never(place: Place) -> None:
    hello = caption("Bonjour à tous", segment="s1", revision=3)
    async with place.running():
        for each in (caption("Bon", final=False), hello, hello, caption("  "), caption("À bientôt", segment="s2")):
            await place.bus.publish(events.CAPTION_TOPIC, events.encode(each))
        said = await place.until_said(2)
    assert [segment.text for segment in said] == ["Bonjour à tous", "À bientôt"]
    assert said[0] == Segment(
        "s1", "abcd", 3, "p1", "p1-mic", "Zoé « Zo »", "Bonjour à tous", "fr", "base", START + 1, START + 2,
        (SegmentWord("Bonjour à tous", START + 1, START + 2, 0.875),),
    )  # fmt: skip


async def test_nonsense_on_the_bus_is_passed_over_and_the_rest_is_kept(place: Place) -> None:
    async with place.running():
        for topic, good in ((events.RECORDING_TOPIC, STARTED), (events.CAPTION_TOPIC, caption("Bonjour"))):
            for payload in (b"", b"{", b"[]", b'{"type": "recording_started"}', b"\xff", events.encode(good)):
                await place.bus.publish(topic, payload)
        await place.until_recorded(Recording("r1", "abcd", "active", START, None, None))
        assert len(await place.until_said(1)) == 1


async def test_an_event_that_the_database_refuses_takes_no_other_along(place: Place) -> None:
    impossible = RecordedTrack(PublicationId("p"), ParticipantId("p"), "", "camera", "video", "vp8", "b.webm", 0.0, 1.0,
                               1 << 80, True)  # fmt: skip
    other = events.RecordingStarted(RecordingId("r2"), "abcd", START)
    async with place.running():
        await place.bus.publish(events.RECORDING_TOPIC, events.encode(stopped(None, impossible)))
        await place.bus.publish(events.RECORDING_TOPIC, events.encode(other))
        async with asyncio.timeout(60):
            while await place.recordings.get("abcd", "r2") is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert await place.recordings.get("abcd", "r1") is None


# --- after a crash ---------------------------------------------------------------------------------------------------


async def test_what_nobody_told_is_taken_from_the_manifests_at_the_start(place: Place) -> None:
    place.write(Manifest(RecordingId("r1"), "abcd", START, "stopped", 12.0, "recorder_lost", [TRACK]))
    place.write(Manifest(RecordingId("r2"), "abcd", START + 50))
    (place.folder / "stray").mkdir()
    (place.folder / "broken").mkdir()
    (place.folder / "broken" / manifests.FILE).write_text("{")
    (place.folder / "note.txt").write_text("not a folder")
    async with place.running():
        await place.until_recorded(replace(OVER, problem="recorder_lost"))
    found = await place.recordings.of_visit("abcd")
    assert [(recording.id, recording.state) for recording in found] == [("r1", "stopped"), ("r2", "active")]


async def test_a_manifest_that_cannot_be_kept_or_lies_in_a_foreign_folder_stops_nothing(place: Place) -> None:
    impossible = RecordedTrack(PublicationId("p"), ParticipantId("p"), "", "camera", "video", "vp8", "b.webm", 0.0, 1.0,
                               1 << 80, True)  # fmt: skip
    place.write(Manifest(RecordingId("r0"), "abcd", START, "stopped", 12.0, None, [impossible]))
    place.write(Manifest(RecordingId("r1"), "abcd", START, "stopped", 12.0, None, [TRACK]))
    (place.folder / "copy").mkdir()
    (place.folder / "copy" / manifests.FILE).write_bytes((place.folder / "r1" / manifests.FILE).read_bytes())
    await place.archive.reconcile()
    assert await place.recordings.of_visit("abcd") == [OVER]


async def test_a_recording_that_its_recorder_closed_later_gets_its_files_then(place: Place) -> None:
    place.write(Manifest(RecordingId("r1"), "abcd", START))
    await place.archive.take_recordings([events.encode(STARTED), events.encode(stopped("recorder_lost"))])
    await place.archive.check()
    await place.until_recorded(Recording("r1", "abcd", "stopped", START, 12.0, "recorder_lost"))
    place.write(Manifest(RecordingId("r1"), "abcd", START, "stopped", 11.5, "recorder_lost", [TRACK]))
    await place.archive.check()
    await place.until_recorded(replace(OVER, duration_s=11.5, problem="recorder_lost"))


async def test_a_recording_elsewhere_is_over_when_nobody_holds_its_room_any_more(place: Place) -> None:
    running = Recording("r1", "abcd", "active", START, None, None)
    await place.archive.take_recordings([events.encode(STARTED)])
    await place.directory.put("room/abcd", "some control plane", 60)
    await place.archive.check()
    await place.until_recorded(running)
    await place.directory.compare_and_set("room/abcd", "some control plane", None, 1)
    await place.archive.check()
    await place.until_recorded(replace(running, state="failed", problem="recorder_lost"))


async def test_reconciling_again_changes_nothing(place: Place) -> None:
    place.write(Manifest(RecordingId("r1"), "abcd", START, "failed", 12.0, "write_error", [TRACK]))
    for _ in range(2):
        await place.archive.reconcile()
        await place.until_recorded(replace(OVER, state="failed", problem="write_error"))


async def test_what_was_said_outside_of_recordings_is_not_kept_for_long(place: Place) -> None:
    await place.archive.take_captions([events.encode(caption("jamais enregistré"))])
    await place.archive.check()
    assert len(await place.until_said(1)) == 1
    place.now = START + 3700
    await place.archive.check()
    assert await place.transcripts.between("abcd", 0, 2e9) == []
