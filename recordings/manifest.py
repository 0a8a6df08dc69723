"""What is in a recording's folder: manifest.json, the record of its tracks, whole at every moment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from control.ids import RecordingId
from control.tracks import RecordedTrack
from recordings.errors import MalformedFileError, StorageError

VERSION = 1
FILE = "manifest.json"
State = Literal["active", "stopped", "failed"]


class Manifest(msgspec.Struct):
    """One recording. Offsets of its tracks are from `started_at_s` (Unix time of the server)."""

    id: RecordingId
    visit: str
    started_at_s: float
    state: State = "active"
    """`active` while a recorder is at it, or after one died and before another one has looked."""
    duration_s: float = 0.0
    problem: str | None = None
    """Message key (`disk_full`, `write_error`, `recorder_lost`) of what ended it."""
    tracks: list[RecordedTrack] = []
    """A file that is still being written has no duration and is not complete."""
    version: int = VERSION


_decoder = msgspec.json.Decoder(Manifest)


def load(folder: Path) -> Manifest:
    """Read a folder's manifest; raises StorageError, or MalformedFileError when it makes no sense."""
    try:
        manifest = _decoder.decode((folder / FILE).read_bytes())
    except OSError as error:
        raise StorageError.of(error) from error
    except msgspec.MsgspecError as error:
        raise MalformedFileError(f"{folder / FILE}: {error}") from error
    if manifest.version != VERSION:
        raise MalformedFileError(f"{folder / FILE} has version {manifest.version}, this Parvis reads {VERSION}")
    return manifest


def save(folder: Path, manifest: Manifest) -> None:
    """Write a folder's manifest: the old one or the new one is there, never half of one. Raises StorageError."""
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    new = folder / f"{FILE}.new"
    try:
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(folder / FILE)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError.of(error) from error
