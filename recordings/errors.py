"""What goes wrong while recording.

RecordingError
├── MalformedFileError   a file is not one of ours, or is damaged before its first cluster
└── StorageError         the disk does not take what is written; `code` is stable: `disk_full` or `write_error`
"""

import errno


class RecordingError(Exception):
    """Any error of a recording."""


class MalformedFileError(RecordingError):
    """A file that cannot be repaired."""


class StorageError(RecordingError):
    """The disk is full or failing."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code

    @classmethod
    def of(cls, error: OSError) -> "StorageError":
        """Return what an error of the operating system means."""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        return cls("disk_full" if full else "write_error", f"{error.strerror or error} ({error.filename or 'write'})")
