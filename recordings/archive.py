"""The archive: what the bus tells and what the recorders' manifests say becomes what the database keeps.

The bus brings news, the manifest in a recording's folder is the record: what a crash kept from being told is taken
from there, at the start and whenever a recording seems to run for longer than anybody holds its room. So everything
here may come twice, late, or not at all, and the database says the same in the end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from control import events
from control.captions import Caption
from control.tracks import RecordedTrack
from recordings import manifest as manifests
from recordings.errors import RecordingError
from recordings.manifest import Manifest
from storage.bus import Bus, Subscription
from storage.directory import Directory
from storage.errors import StorageError
from storage.recordings import Recording, Recordings, Track
from storage.transcripts import Segment, SegmentWord, Transcripts

logger = logging.getLogger(__name__)

CHECK_S = 10.0
"""Between two looks at recordings whose end nobody told."""
FORGET_S = 3600.0
"""What was said while nothing was recorded is gone after this: it was for the screen, not for the record."""
FORGET_EVERY_S = 600.0
FIRST_PAUSE_S = 0.5
LAST_PAUSE_S = 30.0
LOST = "recorder_lost"
"""The problem of a recording whose recorder died: what was written until then stays."""


class Archive:
    """Listens and looks after. `folder` holds one folder for each recording of this machine."""

    def __init__(
        self,
        *,
        bus: Bus,
        directory: Directory,
        recordings: Recordings,
        transcripts: Transcripts,
        folder: Path,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._directory = directory
        self._recordings = recordings
        self._transcripts = transcripts
        self._folder = folder
        self._clock = clock
        self._forgot_at_s = 0.0

    async def run(self, listening: asyncio.Event | None = None) -> None:
        """Work until cancelled; `listening` is set when nothing that is published any more can be missed."""
        async with (
            self._bus.subscribe(events.RECORDING_TOPIC) as recordings,
            self._bus.subscribe(events.CAPTION_TOPIC) as captions,
            asyncio.TaskGroup() as tasks,
        ):
            if listening is not None:
                listening.set()
            tasks.create_task(self._listen(recordings, self.take_recordings), name="archive recordings")
            tasks.create_task(self._listen(captions, self.take_captions), name="archive captions")
            tasks.create_task(self._look_after(), name="archive")

    # --- what the bus tells ---------------------------------------------------------------------------------------

    async def _listen(self, subscription: Subscription, take: Callable[[Sequence[bytes]], Awaitable[None]]) -> None:
        missed = 0
        while True:
            payloads = await subscription.take()
            if subscription.missed != missed:
                logger.error("the archive was too slow: %d events are lost", subscription.missed - missed)
                missed = subscription.missed
            try:
                await _insist(partial(take, payloads))
            except Exception:
                logger.exception("the archive cannot keep %d events together; trying one by one", len(payloads))
                for payload in payloads:
                    try:
                        await _insist(partial(take, [payload]))
                    except Exception:
                        logger.exception("an event is lost")

    async def take_captions(self, payloads: Sequence[bytes]) -> None:
        """Keep final captions; raises StorageError."""
        segments = []
        for payload in payloads:
            try:
                caption = events.decode_caption(payload)
            except msgspec.MsgspecError as error:
                logger.error("a caption on the bus makes no sense: %s", error)
                continue
            if caption.final and caption.text.strip():
                segments.append(_segment(caption))
        await self._transcripts.add(segments)

    async def take_recordings(self, payloads: Sequence[bytes]) -> None:
        """Keep the beginnings and ends of recordings; raises StorageError."""
        for payload in payloads:
            try:
                event = events.decode_recording(payload)
            except msgspec.MsgspecError as error:
                logger.error("news of a recording on the bus make no sense: %s", error)
                continue
            match event:
                case events.RecordingStarted():
                    await self._recordings.started(event.recording, event.visit, event.started_at_s)
                case events.RecordingStopped():
                    known = await self._recordings.get(event.visit, event.recording)
                    started_at_s = known.started_at_s if known else self._clock() - event.duration_s
                    await self._recordings.stopped(
                        Recording(
                            event.recording,
                            event.visit,
                            "stopped" if event.problem in (None, LOST) else "failed",
                            started_at_s,
                            event.duration_s,
                            event.problem,
                            _tracks(event.tracks),
                        )
                    )

    # --- what the manifests say -----------------------------------------------------------------------------------

    async def _look_after(self) -> None:
        await _insist(self.reconcile)
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                await self.check()
            except StorageError as error:
                logger.warning("the archive is not looked after: %s", error)

    async def reconcile(self) -> None:
        """Bring the database to what every manifest on this machine says; raises StorageError."""
        for manifest in await asyncio.to_thread(self._manifests):
            await self._adopt(manifest)
        await self.check()

    async def check(self) -> None:
        """Find the end of recordings that nobody told it of, and forget what was not recorded; raises StorageError."""
        for recording in await self._recordings.unsettled():
            manifest = await asyncio.to_thread(self._manifest, recording.id)
            if manifest is not None:
                await self._adopt(manifest)
            elif recording.state == "active" and await self._directory.get(f"room/{recording.visit}") is None:
                # No files here, and no control plane holds the room: whoever recorded it is gone.
                await self._recordings.stopped(replace(recording, state="failed", problem=LOST))
        now = self._clock()
        if now - self._forgot_at_s >= FORGET_EVERY_S:
            # All that is old the first time, then what has become old since, and a little before that.
            await self._transcripts.forget_unrecorded(self._forgot_at_s - 2 * FORGET_S, now - FORGET_S)
            self._forgot_at_s = now

    async def _adopt(self, manifest: Manifest) -> None:
        if manifest.state == "active":
            await self._recordings.started(manifest.id, manifest.visit, manifest.started_at_s)
            return
        wanted = Recording(
            manifest.id,
            manifest.visit,
            manifest.state,
            manifest.started_at_s,
            manifest.duration_s,
            manifest.problem,
            _tracks(manifest.tracks),
        )
        try:
            if await self._recordings.get(manifest.visit, manifest.id) != wanted:
                await self._recordings.stopped(wanted)
        except StorageError:
            raise
        except Exception:
            logger.exception("the recording %s is not taken into the archive", manifest.id)

    def _manifests(self) -> list[Manifest]:
        if not self._folder.is_dir():
            return []
        names = sorted(path.name for path in self._folder.iterdir() if path.is_dir())
        return [manifest for name in names if (manifest := self._manifest(name)) is not None]

    def _manifest(self, name: str) -> Manifest | None:
        if not (self._folder / name / manifests.FILE).exists():
            return None
        try:
            manifest = manifests.load(self._folder / name)
        except RecordingError as error:
            logger.error("the recording %s is not taken into the archive: %s", name, error)
            return None
        if manifest.id != name:
            logger.error("the folder %s holds the recording %s: it is not taken into the archive", name, manifest.id)
            return None
        return manifest


async def _insist(work: Callable[[], Awaitable[None]]) -> None:
    """Do something that the database must know, however long it is away."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            await work()
        except StorageError as error:
            logger.warning("the archive waits for the database: %s", error)
            await asyncio.sleep(pause_s)
            pause_s = min(LAST_PAUSE_S, pause_s * 2)
        else:
            return


def _segment(caption: Caption) -> Segment:
    return Segment(
        caption.segment,
        caption.room,
        caption.revision,
        caption.participant,
        caption.publication,
        caption.speaker,
        caption.text,
        caption.language,
        caption.model,
        caption.start_at_s,
        caption.end_at_s,
        tuple(SegmentWord(word.text, word.start_at_s, word.end_at_s, word.probability) for word in caption.words),
    )


def _tracks(tracks: Sequence[RecordedTrack]) -> tuple[Track, ...]:
    made = [msgspec.convert(track, Track, from_attributes=True) for track in tracks]
    return tuple(sorted(made, key=lambda track: (track.start_s, track.file)))
