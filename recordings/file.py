"""The file of one track on the disk: it grows by whole pieces or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from recordings.errors import StorageError


class TrackFile:
    """An open file. All methods block, and raise StorageError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._dirty = False
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError.of(error) from error

    def append(self, data: bytes) -> None:
        """Add a piece; what of it does not fit on the disk is taken back."""
        try:
            self._write(data, self.size)
        except OSError as error:
            self._take_back()
            raise StorageError.of(error) from error
        self.size += len(data)

    def overwrite(self, position: int, data: bytes) -> None:
        """Write over a part of the file."""
        try:
            self._write(data, position)
        except OSError as error:
            raise StorageError.of(error) from error

    def sync(self) -> None:
        """Have what was written survive a power failure."""
        synchronise([descriptor] if (descriptor := self.unsynced()) is not None else [])

    def unsynced(self) -> int | None:
        """Return a descriptor for `synchronise` when something was written since the last time."""
        if not self._dirty:
            return None
        self._dirty = False
        try:
            return os.dup(self._descriptor)
        except OSError as error:
            raise StorageError.of(error) from error

    def close(self) -> None:
        """Close it."""
        try:
            os.close(self._descriptor)
        except OSError as error:
            raise StorageError.of(error) from error

    def _write(self, data: bytes, position: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, position)
            view = view[written:]
            position += written
            self._dirty = True

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            pass  # a failing disk; the player stops at the broken cluster


def synchronise(descriptors: list[int]) -> None:
    """Have what was written to these survive a power failure, and close them; raises StorageError after the last."""
    failure: OSError | None = None
    for descriptor in descriptors:
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            failure = error
        finally:
            os.close(descriptor)
    if failure is not None:
        raise StorageError.of(failure) from failure
