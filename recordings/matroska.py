"""Writing one track as Matroska or WebM (RFC 9559): bytes out, no file touched.

The file grows only at its end while it is being recorded: header, then whole clusters, so that whatever of it is on
the disk can be played. Closing adds the Cues at the end and overwrites what was kept free at the start: the Segment's
size, the SeekHead (which leads to the Cues), the Duration. `recordings.repair` closes a file in the same way.

Timestamps count from the track's first frame, whose moment is the file's date (DateUTC, in nanoseconds) and, from the
recording's start, in the manifest: browsers disagree about files that begin later than at 0, and some players wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from control.tracks import Codec, TrackKind
from recordings import ebml

EBML_HEADER, DOC_TYPE, DOC_TYPE_VERSION, DOC_TYPE_READ_VERSION = 0x1A45DFA3, 0x4282, 0x4287, 0x4285
EBML_VERSION, EBML_READ_VERSION, EBML_MAX_ID, EBML_MAX_SIZE = 0x4286, 0x42F7, 0x42F2, 0x42F3
SEGMENT, SEEK_HEAD, SEEK, SEEK_ID, SEEK_POSITION = 0x18538067, 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
INFO, TIMESTAMP_SCALE, DURATION, DATE_UTC = 0x1549A966, 0x2AD7B1, 0x4489, 0x4461
MUXING_APP, WRITING_APP = 0x4D80, 0x5741
TRACKS, TRACK_ENTRY, TRACK_NUMBER, TRACK_UID, TRACK_TYPE = 0x1654AE6B, 0xAE, 0xD7, 0x73C5, 0x83
FLAG_LACING, NAME, LANGUAGE, CODEC_ID, CODEC_PRIVATE = 0x9C, 0x536E, 0x22B59C, 0x86, 0x63A2
CODEC_DELAY, SEEK_PRE_ROLL = 0x56AA, 0x56BB
VIDEO, PIXEL_WIDTH, PIXEL_HEIGHT = 0xE0, 0xB0, 0xBA
AUDIO, SAMPLING_FREQUENCY, CHANNELS = 0xE1, 0xB5, 0x9F
CLUSTER, CLUSTER_TIMESTAMP, SIMPLE_BLOCK = 0x1F43B675, 0xE7, 0xA3
CUES, CUE_POINT, CUE_TIME, CUE_TRACK_POSITIONS = 0x1C53BB6B, 0xBB, 0xB3, 0xB7
CUE_TRACK, CUE_CLUSTER_POSITION = 0xF7, 0xF1

CLUSTER_MS = 250
"""No cluster is longer: a recorder that is killed loses no more than this and what it was still waiting for."""
AUDIO_CUE_MS = 5_000
"""Sound can be entered anywhere; one cue in this time is enough to seek."""
USUAL_PICTURE_MS = 33
LONGEST_PICTURE_MS = 1_000
"""A picture is taken to be shown for as long as the one before it, but no longer than this."""
SEEK_HEAD_BYTES = 96
DURATION_BYTES = 11
SCALE_NS = 1_000_000
YEAR_2001_S = 978_307_200
OPUS_PRE_SKIP = 312
"""Samples of 48 kHz by which an Opus encoder delays the sound: 6.5 ms (libopus, RFC 7845 section 4.2)."""
OPUS_DELAY_NS = OPUS_PRE_SKIP * 1_000_000_000 // 48_000
OPUS_PRE_ROLL_NS = 80_000_000

CODEC_IDS: dict[Codec, str] = {
    "vp8": "V_VP8",
    "vp9": "V_VP9",
    "av1": "V_AV1",
    "h264": "V_MPEG4/ISO/AVC",
    "opus": "A_OPUS",
}


def is_webm(codec: Codec) -> bool:
    """Return whether a codec may be in a WebM file."""
    return codec != "h264"


@dataclass(slots=True, frozen=True)
class Track:
    """What the header says of the track."""

    codec: Codec
    name: str
    uid: int
    """64 bits, not 0."""
    private: bytes = b""
    """Codec private data: avcC, av1C; made here for Opus."""
    width: int = 0
    height: int = 0
    channels: int = 0

    @property
    def kind(self) -> TrackKind:
        """Sound or picture."""
        return "audio" if self.codec == "opus" else "video"


@dataclass(slots=True)
class Index:
    """What closing a file needs to know of it. Positions are in bytes from the file's start, times in ms."""

    segment_at: int = 0
    """Where the Segment's data begins; its size is in the eight bytes before."""
    seek_head_at: int = 0
    """Where SEEK_HEAD_BYTES are free for the SeekHead."""
    info_at: int = 0
    tracks_at: int = 0
    duration_at: int = 0
    """Where DURATION_BYTES are free for the Duration."""
    cues: list[tuple[int, int]] = field(default_factory=list)
    """(time, position of the cluster) of every point at which playing may begin."""
    end_ms: int = 0
    """When the last frame ends; 0 as long as there is none."""

    def closing(self, size: int) -> tuple[bytes, list[tuple[int, bytes]]]:
        """Return what is to be appended to a file of this size, and (position, bytes) to be overwritten in it."""
        points = []
        for at_ms, position in self.cues:
            positions = ebml.unsigned(CUE_TRACK, 1) + ebml.unsigned(CUE_CLUSTER_POSITION, position - self.segment_at)
            point = ebml.unsigned(CUE_TIME, at_ms) + ebml.element(CUE_TRACK_POSITIONS, positions)
            points.append(ebml.element(CUE_POINT, point))
        cues = ebml.element(CUES, b"".join(points)) if points else b""
        places = [(INFO, self.info_at), (TRACKS, self.tracks_at), *([(CUES, size)] if cues else [])]
        seeks = b"".join(
            ebml.element(
                SEEK,
                ebml.element(SEEK_ID, ebml.identifier(number))
                + ebml.unsigned(SEEK_POSITION, position - self.segment_at, 8),
            )
            for number, position in places
        )
        head = ebml.element(SEEK_HEAD, seeks)
        return cues, [
            (self.segment_at - 8, ebml.size(size + len(cues) - self.segment_at, 8)),
            (self.seek_head_at, head + ebml.void(SEEK_HEAD_BYTES - len(head))),
            (self.duration_at, ebml.real(DURATION, float(self.end_ms))),
        ]


class MatroskaWriter:
    """One track's file. Append what `header`, `add` and `flush` return; then do what `close` says."""

    def __init__(self, track: Track, begins_at_s: float) -> None:
        """`begins_at_s` is the Unix time of the first frame."""
        self.index = Index()
        self._track = track
        self._begins_at_s = begins_at_s
        self._size = 0
        self._blocks: list[bytes] = []
        self._cluster_ms = 0
        self._starts_with_keyframe = False
        self._last_ms = -1

    @property
    def pending_since_ms(self) -> int | None:
        """The time of the first frame that no cluster holds yet."""
        return self._cluster_ms if self._blocks else None

    def header(self) -> bytes:
        """Return the beginning of the file."""
        doc_type = "webm" if is_webm(self._track.codec) else "matroska"
        head = ebml.element(
            EBML_HEADER,
            ebml.unsigned(EBML_VERSION, 1)
            + ebml.unsigned(EBML_READ_VERSION, 1)
            + ebml.unsigned(EBML_MAX_ID, 4)
            + ebml.unsigned(EBML_MAX_SIZE, 8)
            + ebml.text(DOC_TYPE, doc_type)
            + ebml.unsigned(DOC_TYPE_VERSION, 4)
            + ebml.unsigned(DOC_TYPE_READ_VERSION, 2),
        )
        out = bytearray(head + ebml.identifier(SEGMENT) + ebml.UNKNOWN_SIZE)
        index = self.index
        index.segment_at = index.seek_head_at = len(out)
        out += ebml.void(SEEK_HEAD_BYTES)
        index.info_at = len(out)
        fixed = (
            ebml.unsigned(TIMESTAMP_SCALE, SCALE_NS)
            + ebml.signed(DATE_UTC, round((self._begins_at_s - YEAR_2001_S) * 1_000_000_000))
            + ebml.text(MUXING_APP, "Parvis")
            + ebml.text(WRITING_APP, "Parvis")
        )
        out += ebml.element(INFO, fixed + ebml.void(DURATION_BYTES))
        index.duration_at = len(out) - DURATION_BYTES
        index.tracks_at = len(out)
        out += ebml.element(TRACKS, ebml.element(TRACK_ENTRY, self._entry()))
        self._size = len(out)
        return bytes(out)

    def add(self, at_ms: int, duration_ms: int, data: bytes, *, is_keyframe: bool) -> bytes:
        """Take a frame; return the cluster that it completes, if it does.

        A time that is not after that of the frame before is moved to just after it.
        """
        at_ms = max(at_ms, self._last_ms + 1, 0)
        self._last_ms = at_ms
        out = b""
        begins_picture = is_keyframe and self._track.kind == "video"
        if self._blocks and (begins_picture or at_ms - self._cluster_ms >= CLUSTER_MS):
            out = self.flush()
        if not self._blocks:
            self._cluster_ms = at_ms
            self._starts_with_keyframe = is_keyframe
        index = self.index
        index.end_ms = max(index.end_ms, at_ms + duration_ms)
        relative = (at_ms - self._cluster_ms).to_bytes(2, "big")
        self._blocks.append(ebml.element(SIMPLE_BLOCK, b"\x81" + relative + (b"\x80" if is_keyframe else b"\0") + data))
        return out

    def flush(self) -> bytes:
        """Return the cluster of the frames that have come, if there are any."""
        if not self._blocks:
            return b""
        cluster = ebml.element(CLUSTER, ebml.unsigned(CLUSTER_TIMESTAMP, self._cluster_ms) + b"".join(self._blocks))
        note_cue(self.index, self._track.kind, self._cluster_ms, self._size, is_keyframe=self._starts_with_keyframe)
        self._size += len(cluster)
        self._blocks.clear()
        return cluster

    def close(self) -> tuple[bytes, list[tuple[int, bytes]]]:
        """Return what is to be appended after the last `flush`, and (position, bytes) to be overwritten."""
        return self.index.closing(self._size)

    def _entry(self) -> bytes:
        track = self._track
        private, kind = track.private, 1
        if track.kind == "audio":
            kind = 2
            private = opus_head(track.channels)
            details = ebml.unsigned(CODEC_DELAY, OPUS_DELAY_NS) + ebml.unsigned(SEEK_PRE_ROLL, OPUS_PRE_ROLL_NS)
            sound = ebml.real(SAMPLING_FREQUENCY, 48_000.0) + ebml.unsigned(CHANNELS, track.channels)
            details += ebml.element(AUDIO, sound)
        else:
            picture = ebml.unsigned(PIXEL_WIDTH, track.width) + ebml.unsigned(PIXEL_HEIGHT, track.height)
            details = ebml.element(VIDEO, picture)
        return (
            ebml.unsigned(TRACK_NUMBER, 1)
            + ebml.unsigned(TRACK_UID, track.uid)
            + ebml.unsigned(TRACK_TYPE, kind)
            + ebml.unsigned(FLAG_LACING, 0)
            + ebml.text(NAME, track.name)
            + ebml.text(LANGUAGE, "und")
            + ebml.text(CODEC_ID, CODEC_IDS[track.codec])
            + (ebml.element(CODEC_PRIVATE, private) if private else b"")
            + details
        )


def note_cue(index: Index, kind: TrackKind, at_ms: int, position: int, *, is_keyframe: bool) -> None:
    """Note a cluster in the index when playing may begin there."""
    if kind == "audio" and index.cues and at_ms - index.cues[-1][0] < AUDIO_CUE_MS:
        return
    if is_keyframe:
        index.cues.append((at_ms, position))


def picture_ms(before_ms: int | None, at_ms: int) -> int:
    """Return for how long a picture is taken to be shown, from its time and that of the one before."""
    return USUAL_PICTURE_MS if before_ms is None else min(LONGEST_PICTURE_MS, max(1, at_ms - before_ms))


def opus_head(channels: int) -> bytes:
    """Return the identification header of Opus (RFC 7845 section 5.1)."""
    head: Sequence[bytes] = (
        b"OpusHead\x01",
        bytes([channels]),
        OPUS_PRE_SKIP.to_bytes(2, "little"),
        (48_000).to_bytes(4, "little"),
        b"\0\0\0",
    )
    return b"".join(head)
