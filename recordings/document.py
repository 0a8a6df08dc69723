"""A recording and its transcript as documents: JSON for the player and for whoever asks for it, WebVTT.

All times named `*_s` are seconds from the recording's start, except `started_at_s` (Unix time). An automatic text
always says what it is: `notice` is the sentence in the reader's language.
"""

from collections.abc import Callable, Sequence

import msgspec

from storage.recordings import Recording, RecordingState
from storage.transcripts import Segment


class TrackDocument(msgspec.Struct, frozen=True):
    """One file of a recording."""

    file: str
    url: str
    name: str
    participant: str
    publication: str
    source: str
    kind: str
    codec: str
    start_s: float
    duration_s: float
    bytes: int
    complete: bool


class WordDocument(msgspec.Struct, frozen=True):
    """One word, with the probability (0 to 1) that it was understood."""

    text: str
    start_s: float
    end_s: float
    probability: float


class SegmentDocument(msgspec.Struct, frozen=True):
    """What somebody said at once."""

    id: str
    participant: str
    publication: str
    speaker: str
    text: str
    language: str
    start_s: float
    end_s: float
    words: list[WordDocument]


class TranscriptDocument(msgspec.Struct, frozen=True):
    """What was said while a recording ran."""

    notice: str
    recording: str
    visit: str
    title: str
    started_at_s: float
    duration_s: float | None
    segments: list[SegmentDocument]


class RecordingDocument(msgspec.Struct, frozen=True):
    """A recording with everything that its player needs."""

    id: str
    visit: str
    title: str
    state: RecordingState
    started_at_s: float
    duration_s: float | None
    problem: str | None
    notice: str
    tracks: list[TrackDocument]
    segments: list[SegmentDocument]


def recording_document(
    recording: Recording, segments: Sequence[Segment], *, title: str, notice: str, url: Callable[[str], str]
) -> RecordingDocument:
    """Put together what a player needs; `url` gives the address of a file."""
    return RecordingDocument(
        recording.id,
        recording.visit,
        title,
        recording.state,
        recording.started_at_s,
        recording.duration_s,
        recording.problem,
        notice,
        [
            TrackDocument(
                track.file, url(track.file), track.name, track.participant, track.publication, track.source, track.kind,
                track.codec, track.start_s, track.duration_s, track.bytes, track.complete,
            )
            for track in recording.tracks
        ],
        segment_documents(recording, segments),
    )  # fmt: skip


def transcript_document(
    recording: Recording, segments: Sequence[Segment], *, title: str, notice: str
) -> TranscriptDocument:
    """Put together a transcript to keep."""
    return TranscriptDocument(
        notice,
        recording.id,
        recording.visit,
        title,
        recording.started_at_s,
        recording.duration_s,
        segment_documents(recording, segments),
    )


def segment_documents(recording: Recording, segments: Sequence[Segment]) -> list[SegmentDocument]:
    """Return segments with their times as offsets from the recording's start."""

    def offset(at_s: float) -> float:
        return round(at_s - recording.started_at_s, 3)

    return [
        SegmentDocument(
            segment.id,
            segment.participant,
            segment.publication,
            segment.speaker,
            segment.text,
            segment.language,
            offset(segment.start_at_s),
            offset(segment.end_at_s),
            [
                WordDocument(word.text, offset(word.start_at_s), offset(word.end_at_s), word.probability)
                for word in segment.words
            ],
        )
        for segment in segments
    ]


def webvtt(segments: Sequence[SegmentDocument], *, title: str, notice: str) -> str:
    """Return a WebVTT file (W3C WebVTT: The Web Video Text Tracks Format) with a voice span for each speaker."""
    blocks = ["WEBVTT" + (f" - {_line(title)}" if title else ""), f"NOTE {_line(notice)}"]
    for number, segment in enumerate(segments, 1):
        start_s = max(0.0, segment.start_s)
        end_s = max(start_s + 0.001, segment.end_s)
        voice = f"<v {_escaped(segment.speaker)}>" if segment.speaker.strip() else ""
        blocks.append(f"{number}\n{_time(start_s)} --> {_time(end_s)}\n{voice}{_escaped(segment.text)}")
    return "\n\n".join(blocks) + "\n"


def _time(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _line(text: str) -> str:
    """Return a text in one line that no reader takes for a cue's times."""
    return " ".join(text.split()).replace("-->", "→")


def _escaped(text: str) -> str:
    return _line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
