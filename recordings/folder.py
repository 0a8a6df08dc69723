"""The folder of one recording: locked by the process that records into it, mended when that process died."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from pathlib import Path

import msgspec

from control.ids import RecordingId, RoomId
from control.tracks import RecordedTrack
from recordings import manifest as manifests
from recordings import repair
from recordings.errors import MalformedFileError, RecordingError, StorageError
from recordings.manifest import Manifest

logger = logging.getLogger(__name__)

RESERVE = "reserve"
RESERVE_BYTES = 256 << 10
"""Space held back so that the files and the manifest can be closed on a disk that has become full."""
LOCK_RETRY_S = 0.1


class Folder:
    """One recording's folder while this process owns it. All methods may block on the disk."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.manifest: Manifest

    @classmethod
    def take(cls, path: Path, patience_s: float) -> Folder:
        """Lock a folder and leave its manifest to the caller; raises StorageError, RecordingError."""
        deadline = time.monotonic() + patience_s
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise StorageError.of(error) from error
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return cls(path, descriptor)
            except OSError as error:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    raise RecordingError(f"another recorder is at {path.name}") from error
            time.sleep(LOCK_RETRY_S)

    @classmethod
    def create(cls, root: Path, recording: RecordingId, room: RoomId, at_s: float) -> Folder:
        """Make the folder of a new recording; raises StorageError, or RecordingError for a name that is none."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", recording):
            raise RecordingError(f"{recording!r} is no name of a recording")
        path = root / recording
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError.of(error) from error
        folder = cls.take(path, 0.0)
        if (path / manifests.FILE).exists():
            folder.close()
            raise RecordingError(f"there is a recording {recording}")
        folder.manifest = Manifest(recording, room, at_s)
        try:
            folder.hold_reserve()
            folder.save()
        except StorageError as error:
            folder.abandon(error.code)
            raise
        return folder

    @classmethod
    def resume(cls, root: Path, recording: RecordingId, room: RoomId, at_s: float, *, patience_s: float) -> Folder:
        """Take over a recording whose recorder died, and close what it left open; one that is not here begins here.

        Raises StorageError, or RecordingError while another process owns it.
        """
        if not (root / recording / manifests.FILE).exists():
            return cls.create(root, recording, room, at_s)
        folder = cls.take(root / recording, patience_s)
        try:
            folder.manifest = manifests.load(folder.path)
            folder.mend()
            folder.manifest.state = "active"
            folder.manifest.problem = None
            folder.hold_reserve()
            folder.save()
        except RecordingError:
            folder.close()
            raise
        return folder

    @property
    def free_bytes(self) -> int:
        """Space that is left where the folder is; raises StorageError."""
        try:
            found = os.statvfs(self._descriptor)
        except OSError as error:
            raise StorageError.of(error) from error
        return found.f_bavail * found.f_frsize

    def save(self) -> None:
        """Write the manifest; raises StorageError."""
        manifests.save(self.path, self.manifest)

    def mend(self) -> None:
        """Close the files that a dead recorder left open. What has nothing in it goes; raises StorageError."""
        kept = []
        for track in self.manifest.tracks:
            path = self.path / track.file
            if track.complete or track.duration_s:
                kept.append(track)
            elif (found := mended(track, path)) is not None:
                kept.append(found)
            elif path.exists() and not path.stat().st_size:
                path.unlink()
        self.manifest.tracks = kept
        self.manifest.duration_s = max([self.manifest.duration_s, *(t.start_s + t.duration_s for t in kept)])

    def hold_reserve(self) -> None:
        """Hold space back for the end; raises StorageError."""
        try:
            with (self.path / RESERVE).open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError as error:
            raise StorageError.of(error) from error

    def release_reserve(self) -> None:
        """Give back the space that was held."""
        try:
            (self.path / RESERVE).unlink(missing_ok=True)
        except OSError as error:
            logger.warning("the reserve stays: %s", error)

    def abandon(self, problem: str) -> None:
        """Let go of a folder into which nothing can be recorded; one without a track goes altogether."""
        self.release_reserve()
        try:
            if self.manifest.tracks:
                self.manifest.state, self.manifest.problem = "failed", problem
                self.save()
            else:
                (self.path / manifests.FILE).unlink(missing_ok=True)
                self.path.rmdir()
        except (OSError, RecordingError) as error:
            logger.warning("%s is left as it is: %s", self.path, error)
        self.close()

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._descriptor)


def mended(track: RecordedTrack, path: Path) -> RecordedTrack | None:
    """Close the file of a track that was cut short; return what is in it, None for nothing. Raises StorageError."""
    try:
        repaired = repair.close_file(path, track.codec)
    except MalformedFileError as error:
        logger.error("%s cannot be repaired and is left as it is: %s", path, error)
        return None
    if repaired is None:
        return None
    return msgspec.structs.replace(track, duration_s=repaired.duration_s, bytes=repaired.bytes, complete=False)


def recover(root: Path) -> int:
    """Close the recordings that no recorder is at any more; return how many there were."""
    count = 0
    if not root.is_dir():
        return 0
    for path in sorted(root.iterdir()):
        try:
            if not (path / manifests.FILE).exists() or manifests.load(path).state != "active":
                continue
            folder = Folder.take(path, 0.0)
        except RecordingError as error:
            logger.info("not recovered: %s", error)
            continue
        try:
            folder.manifest = manifests.load(path)
            if folder.manifest.state != "active":
                continue
            folder.release_reserve()
            folder.mend()
            folder.manifest.state = "stopped"
            folder.manifest.problem = "recorder_lost"
            folder.save()
            count += 1
            logger.warning("recording %s was cut short; what there is of it is closed", path.name)
        except RecordingError as error:
            logger.error("recording %s cannot be closed: %s", path.name, error)
        finally:
            folder.close()
    return count
