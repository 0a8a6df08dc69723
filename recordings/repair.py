"""Closing a file whose recorder died: what was cut short goes, and the index that was never written is."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from pathlib import Path

from control.tracks import Codec
from recordings import ebml
from recordings import matroska as k
from recordings.errors import MalformedFileError, StorageError
from sfu.errors import MalformedPacketError
from sfu.wire.payloads import opus

VERIFIED_CLUSTERS = 60
"""How many of the last clusters are looked through block by block: what a power failure may have left half written."""


@dataclass(slots=True, frozen=True)
class Repaired:
    """What is in a repaired file."""

    duration_s: float
    bytes: int


def close_file(path: Path, codec: Codec) -> Repaired | None:
    """Make a file whole that was not closed; return None when no frame is in it, and leave it alone then.

    A file that was closed before stays as it is. Raises MalformedFileError or StorageError.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            length = os.fstat(file.fileno()).st_size
            if not length:
                return None
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                index, size = scan(data, codec)
            if not index.end_ms:
                return None
            file.truncate(size)
            tail, patches = index.closing(size)
            try:
                _write(file.fileno(), size, tail)
            except OSError:  # no room for an index: a player seeks without it
                file.truncate(size)
                index.cues.clear()
                tail, patches = index.closing(size)
            for position, patch in patches:
                _write(file.fileno(), position, patch)
            os.fsync(file.fileno())
            return Repaired(index.end_ms / 1000, size + len(tail))
    except OSError as error:
        raise StorageError.of(error) from error


def _write(descriptor: int, position: int, data: bytes) -> None:
    while data:
        written = os.pwrite(descriptor, data, position)
        position, data = position + written, data[written:]


def scan(data: ebml.Readable, codec: Codec) -> tuple[k.Index, int]:
    """Return the index of a file as `MatroskaWriter` makes it, and where its last whole cluster ends.

    Raises MalformedFileError when even its header is not whole.
    """
    index, at = _header(data)
    clusters: list[ebml.Element] = []
    while True:
        try:
            cluster = ebml.read(data, at)
        except MalformedFileError:
            break
        if cluster.number != k.CLUSTER or cluster.end is None or cluster.end > len(data):
            break
        clusters.append(cluster)
        at = cluster.end
    for number in range(max(0, len(clusters) - VERIFIED_CLUSTERS), len(clusters)):
        if not _is_whole(data, clusters[number]):
            del clusters[number:]
            break
    for cluster in clusters:
        try:
            at_ms, first = _beginning(data, cluster)
        except MalformedFileError:
            continue  # one bad cluster in the middle is no reason to give up the rest
        is_keyframe = bool(data[first.start + 3 : first.start + 4][0] & 0x80)
        k.note_cue(index, "audio" if codec == "opus" else "video", at_ms, cluster.at, is_keyframe=is_keyframe)
    if clusters:
        index.end_ms = _end_ms(data, clusters[-2:], codec)
    return index, clusters[-1].end or 0 if clusters else at


def _header(data: ebml.Readable) -> tuple[k.Index, int]:
    """Return an index with the places in the header, and where the first cluster begins."""
    head = ebml.read(data, 0)
    if head.number != k.EBML_HEADER or head.end is None:
        raise MalformedFileError("not a Matroska file")
    segment = ebml.read(data, head.end)
    if segment.number != k.SEGMENT:
        raise MalformedFileError("no segment where it should be")
    index = k.Index(segment_at=segment.start, seek_head_at=segment.start)
    at = segment.start + k.SEEK_HEAD_BYTES
    info = ebml.read(data, at)
    tracks = ebml.read(data, info.end or 0)
    if info.number != k.INFO or tracks.number != k.TRACKS or tracks.end is None or tracks.end > len(data):
        raise MalformedFileError("no track where it should be")
    index.info_at, index.tracks_at = info.at, tracks.at
    index.duration_at = tracks.at - k.DURATION_BYTES
    if ebml.read(data, index.duration_at).number not in (ebml.VOID, k.DURATION):
        raise MalformedFileError("no place for the duration")
    return index, tracks.end


def _beginning(data: ebml.Readable, cluster: ebml.Element) -> tuple[int, ebml.Element]:
    """Return a cluster's time in ms and its first block."""
    timestamp = ebml.read(data, cluster.start)
    if timestamp.number != k.CLUSTER_TIMESTAMP or timestamp.end is None:
        raise MalformedFileError(f"the cluster at {cluster.at} has no time")
    block = ebml.read(data, timestamp.end)
    if block.number != k.SIMPLE_BLOCK or block.end is None or block.end - block.start < 4:
        raise MalformedFileError(f"the cluster at {cluster.at} has no block")
    return ebml.unsigned_of(data, timestamp), block


def _is_whole(data: ebml.Readable, cluster: ebml.Element) -> bool:
    try:
        _beginning(data, cluster)
        found = list(ebml.children(data, cluster.start, cluster.end or 0))
    except MalformedFileError:
        return False
    return all(block.number == k.SIMPLE_BLOCK and data[block.start : block.start + 1] == b"\x81" for block in found[1:])


def _end_ms(data: ebml.Readable, clusters: list[ebml.Element], codec: Codec) -> int:
    """Return when the last frame of the last clusters ends."""
    times = []
    block = clusters[-1]
    for cluster in clusters:
        at_ms, _ = _beginning(data, cluster)
        for block in list(ebml.children(data, cluster.start, cluster.end or 0))[1:]:
            times.append(at_ms + int.from_bytes(data[block.start + 1 : block.start + 3], "big"))
    if codec != "opus":
        return times[-1] + k.picture_ms(times[-2] if len(times) > 1 else None, times[-1])
    try:
        return times[-1] + opus.ticks(data[block.start + 4 : block.end]) // 48
    except MalformedPacketError:
        return times[-1]
