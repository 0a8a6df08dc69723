"""What may be read of the recordings: their list, their files, what was said while they ran."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from storage.recordings import Recording, Recordings, Track
from storage.transcripts import Segment, Transcripts


class Library:
    """The reading side of the archive. `folder` holds one folder for each recording."""

    def __init__(
        self, recordings: Recordings, transcripts: Transcripts, folder: Path, clock: Callable[[], float] = time.time
    ) -> None:
        self._recordings = recordings
        self._transcripts = transcripts
        self._folder = folder
        self._clock = clock

    async def of_visit(self, visit: str) -> list[Recording]:
        """Return the recordings of a visit, the first one first; raises StorageError."""
        return await self._recordings.of_visit(visit)

    async def get(self, visit: str, recording: str) -> Recording | None:
        """Return one recording of that very visit, or None; raises StorageError."""
        return await self._recordings.get(visit, recording)

    async def transcript(self, recording: Recording) -> list[Segment]:
        """Return what was said from the recording's start to its end; raises StorageError.

        Words said before it began or after it ended are left out: people knew then that nothing was recorded.
        """
        start = recording.started_at_s
        end = start + recording.duration_s if recording.duration_s is not None else self._clock()
        segments = await self._transcripts.between(recording.visit, start, end)
        return [kept for segment in segments if (kept := _during(segment, start, end)) is not None]

    def file(self, recording: Recording, name: str) -> tuple[Track, Path] | None:
        """Return a track and where its file is; None for a name that is no track, or a file that is not there."""
        track = next((track for track in recording.tracks if track.file == name), None)
        if track is None:
            return None
        folder = (self._folder / recording.id).resolve()
        path = (folder / track.file).resolve()
        return (track, path) if path.parent == folder and path.is_file() else None


def _during(segment: Segment, start: float, end: float) -> Segment | None:
    """Return what of a segment was said within a time, None when nothing was."""
    if start <= segment.start_at_s and segment.end_at_s <= end:
        return segment
    words = tuple(word for word in segment.words if word.start_at_s >= start and word.end_at_s <= end)
    if not words:
        return None
    text = " ".join(word.text.strip() for word in words)
    return replace(segment, text=text, words=words, start_at_s=words[0].start_at_s, end_at_s=words[-1].end_at_s)
