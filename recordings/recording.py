"""One recording under way: its tracks, its files, its folder, and what happens when the disk gives up."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from control import messages as m
from control.ids import PublicationId
from control.tracks import RecordedTrack
from recordings.errors import RecordingError, StorageError
from recordings.file import TrackFile, synchronise
from recordings.folder import Folder, mended
from recordings.matroska import is_webm
from recordings.track import TrackRecorder
from sfu.pipes.endpoint import PipeEndpoint
from sfu.pipes.receiver import PipePacket, PipeReceiver

logger = logging.getLogger(__name__)

TICK_S = 0.1
SYNC_INTERVAL_S = 2.0
MAX_BEHIND_BYTES = 64 << 20
"""What waits for a disk that does not take it; more means that it never will."""


@dataclass(slots=True)
class _Open:
    """A track with its pipe and, once it has begun, its file."""

    track: TrackRecorder
    receiver: PipeReceiver
    file: TrackFile | None = None
    entry: int = -1
    """Its place in the manifest."""
    broken: bool = False
    """A piece of it could not be written: its index no longer fits its file."""


class Recording:
    """Call `run` as a task; it ends after `stop`, or when recording cannot go on (`failed` says why)."""

    def __init__(
        self, folder: Folder, endpoint: PipeEndpoint, minimum_free_bytes: int, notify: Callable[[m.Notice], None]
    ) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._minimum_free_bytes = minimum_free_bytes
        self._notify = notify
        self._tracks: dict[PublicationId, _Open] = {}
        self._disk = asyncio.Lock()
        """One thread at a time is at the folder and its files."""
        self._closed = False
        self._syncing: asyncio.Task[None] | None = None
        self._synced_at = time.monotonic()
        self._behind_bytes = 0
        self.failed: StorageError | None = None

    # --- commands -------------------------------------------------------------------------------------------------

    def record(self, job: m.RecordTrack) -> None:
        """Begin to receive a track; raises StorageError when the recording has failed."""
        if self.failed is not None:
            raise self.failed
        started_at_s, uid = self._folder.manifest.started_at_s, secrets.randbits(63) | 1
        track = TrackRecorder(job, started_at_s, uid, time.time() - time.monotonic())
        receiver = self._endpoint.add(job.spec, lambda packets: self._packets(track, packets))
        track.wall_time = receiver.wall_time
        self._tracks[job.spec.publication] = _Open(track, receiver)

    async def stop_track(self, publication: PublicationId) -> None:
        """Close a track's file; unknown ones are no error."""
        opened = self._tracks.pop(publication, None)
        if opened is not None:
            await self._close_tracks([opened])

    async def stop(self, problem: str | None = None) -> m.RecordingClosed:
        """Close everything."""
        await self.stop_tracks()
        async with self._disk:
            if not self._closed:
                self._closed = True
                await asyncio.to_thread(self._close, "stopped", problem)
        manifest = self._folder.manifest
        return m.RecordingClosed(manifest.id, manifest.duration_s, manifest.tracks)

    async def stop_tracks(self) -> None:
        """Close every track's file; the recording stays open."""
        tracks = list(self._tracks.values())
        self._tracks.clear()
        await self._close_tracks(tracks)

    # --- time -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write what has come, ten times a second, until stopped or failed."""
        try:
            while not self._closed:
                await asyncio.sleep(TICK_S)
                await self._tick(time.monotonic())
        except Exception as error:
            logger.exception("recording %s ends by a fault of the recorder", self._folder.manifest.id)
            self._give_up(StorageError("write_error", repr(error)))
            async with self._disk:
                await self._end(self.failed or StorageError("write_error", ""))
        finally:
            if self._syncing is not None:
                await asyncio.wait([self._syncing])

    async def _tick(self, now: float) -> None:
        for opened in self._tracks.values():
            opened.track.handle_timeout(now)
            if opened.track.keyframe_due(now):
                opened.receiver.request_keyframe()
        async with self._disk:
            if self._closed:
                return
            tracks = [(opened, opened.track.data()) for opened in self._tracks.values() if opened.track.begun]
            self._behind_bytes = 0
            try:
                await asyncio.to_thread(self._write, tracks)
                if now - self._synced_at >= SYNC_INTERVAL_S and (self._syncing is None or self._syncing.done()):
                    self._synced_at = now
                    files = [opened.file for opened, _ in tracks if opened.file is not None]
                    descriptors = [each for file in files if (each := file.unsynced()) is not None]
                    self._syncing = asyncio.create_task(self._sync(descriptors), name="sync")
            except StorageError as error:
                self._give_up(error)
            if self.failed is not None:
                await self._end(self.failed)

    async def _sync(self, descriptors: list[int]) -> None:
        """Wait for a disk that may be slow, while others write."""
        try:
            await asyncio.to_thread(synchronise, descriptors)
        except StorageError as error:
            self._give_up(error)

    def _packets(self, track: TrackRecorder, packets: list[PipePacket]) -> None:
        if self.failed is not None:
            return
        track.packets(packets, time.monotonic())
        self._behind_bytes += sum(len(packet.payload) for packet in packets)
        if self._behind_bytes > MAX_BEHIND_BYTES:
            self._give_up(StorageError("write_error", "the disk has taken nothing for too long"))

    def _give_up(self, error: StorageError) -> None:
        """Say that recording cannot go on."""
        if self.failed is None:
            logger.error("recording %s fails: %s", self._folder.manifest.id, error)
            self.failed = error
            self._notify(m.RecordingFailed(self._folder.manifest.id, error.code, str(error)))

    async def _end(self, error: StorageError) -> None:
        """Close a failed recording as well as the disk allows; the caller holds the disk."""
        tracks = list(self._tracks.values())
        self._tracks.clear()
        self._folder.release_reserve()
        await self._finish(tracks)
        self._closed = True
        await asyncio.to_thread(self._close, "failed", error.code)

    async def _close_tracks(self, tracks: list[_Open]) -> None:
        async with self._disk:
            await self._finish(tracks)

    async def _finish(self, tracks: list[_Open]) -> None:
        now = time.monotonic()
        closing = []
        for opened in tracks:
            self._endpoint.remove(opened.track.job.spec.pipe)
            closing.append((opened, *opened.track.close(now)))
        if closing:
            await asyncio.to_thread(self._finish_files, closing)

    # --- in a thread ----------------------------------------------------------------------------------------------

    def _write(self, tracks: list[tuple[_Open, bytes]]) -> None:
        """Append what there is; raises StorageError after having tried all files."""
        failure: StorageError | None = None
        for opened, data in tracks:
            try:
                if opened.file is None:
                    self._create(opened)
                if data and opened.file is not None:
                    opened.file.append(data)
            except StorageError as error:
                opened.broken = True
                failure = error
        if failure is not None:
            raise failure
        if self._folder.free_bytes < self._minimum_free_bytes:
            raise StorageError("disk_full", f"less than {self._minimum_free_bytes >> 20} MiB are free")

    def _create(self, opened: _Open) -> None:
        """Make a track's file; the manifest names it before anything is in it."""
        manifest = self._folder.manifest
        job = opened.track.job
        extension = "webm" if is_webm(job.spec.codec) else "mkv"
        number = len(manifest.tracks) + 1
        while (self._folder.path / (name := f"{number:03}-{job.source}.{extension}")).exists():
            number += 1
        opened.file = TrackFile(self._folder.path / name)
        opened.entry = len(manifest.tracks)
        manifest.tracks = [*manifest.tracks, _entry(opened.track, name, 0, complete=False)]
        self._folder.save()

    def _finish_files(self, closing: list[tuple[_Open, bytes, list[tuple[int, bytes]]]]) -> None:
        """Close files as well as the disk allows: without their last cluster or their index if it must be."""
        for opened, tail, patches in closing:
            try:
                if opened.file is None:
                    if not opened.track.begun or opened.broken:
                        continue
                    self._create(opened)
                if opened.file is not None:
                    self._finish_file(opened, opened.file, tail, patches)
            except StorageError as error:
                logger.error("a track of %s is not closed properly: %s", self._folder.manifest.id, error)
        try:
            self._folder.save()
        except StorageError as error:
            logger.error("the manifest of %s is not written: %s", self._folder.manifest.id, error)

    def _finish_file(self, opened: _Open, file: TrackFile, tail: bytes, patches: list[tuple[int, bytes]]) -> None:
        if not opened.broken:
            try:
                file.append(tail)
                for position, data in patches:
                    file.overwrite(position, data)
                file.sync()
            except StorageError:
                opened.broken = True
        file.close()
        name = file.path.name
        if opened.track.left_out:
            logger.info("%s/%s: %d frames left out", self._folder.manifest.id, name, opened.track.left_out)
        if opened.broken:
            entry = mended(_entry(opened.track, name, 0, complete=False), file.path)
        else:
            entry = _entry(opened.track, name, file.size, complete=True)
        tracks = list(self._folder.manifest.tracks)
        if entry is not None:
            tracks[opened.entry] = entry
        self._folder.manifest.tracks = tracks

    def _close(self, state: str, problem: str | None) -> None:
        manifest = self._folder.manifest
        manifest.state = "failed" if state == "failed" else "stopped"
        manifest.problem = problem
        manifest.duration_s = max(0.0, time.time() - manifest.started_at_s)
        self._folder.release_reserve()
        try:
            self._folder.save()
        except RecordingError as error:
            logger.error("the manifest of %s is not written: %s", manifest.id, error)
        self._folder.close()


def _entry(track: TrackRecorder, name: str, size: int, *, complete: bool) -> RecordedTrack:
    job = track.job
    return RecordedTrack(
        job.spec.publication,
        job.participant,
        job.name,
        job.source,
        "audio" if job.spec.codec == "opus" else "video",
        job.spec.codec,
        name,
        round(track.start_s, 3),
        round(track.end_s - track.start_s, 3) if size else 0.0,
        size,
        complete,
    )
