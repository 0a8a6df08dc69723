"""Files that FFmpeg reads: every frame as it was, at its time, seekable, whatever the codec."""

import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import av
import numpy as np
import pytest

from control import messages as m
from control.ids import ParticipantId, PipeId, PublicationId, RecordingId
from control.pipes import PipeSpec
from control.tracks import Codec, TrackSource
from recordings import repair
from recordings.matroska import CLUSTER, CLUSTER_MS
from recordings.track import TrackRecorder
from sfu.pipes.receiver import PipePacket
from sfu.wire.payloads import h264_frame
from tests.rig import encoded
from tests.rig.encoded import Encoded

STARTED_AT_S = 1_700_000_000.0
TRACK_AT_S = STARTED_AT_S + 2.0
CODECS: list[Codec] = ["vp8", "vp9", "h264", "av1", "opus"]


def job(codec: Codec) -> m.RecordTrack:
    audio = codec == "opus"
    spec = PipeSpec(
        PipeId("pipe"), PublicationId("pub"), codec, 48_000 if audio else 90_000, 96, 5, bytes(16), bytes(12),
        2 if audio else 1,
    )  # fmt: skip
    source: TrackSource = "microphone" if audio else "camera"
    return m.RecordTrack(RecordingId("rec"), ParticipantId("anne"), "Anne Roy", source, spec)


def recorder(codec: Codec) -> TrackRecorder:
    made = TrackRecorder(job(codec), STARTED_AT_S, uid=77)
    made.wall_time = lambda timestamp: TRACK_AT_S + timestamp / made.job.spec.clock_rate
    return made


def tone(seconds: float) -> list[Encoded]:
    return encoded.sound((np.sin(np.arange(int(48_000 * seconds)) * 0.05) * 9_000).astype(np.int16))


def encode(codec: Codec) -> list[Encoded]:
    return tone(3) if codec == "opus" else encoded.video(codec, 90, keyframe_every=40)


def chunks(track: TrackRecorder, batches: Iterator[list[PipePacket]]) -> list[bytes]:
    """Return what is written, batch by batch."""
    out = []
    for packets in batches:
        track.packets(packets, 0.0)
        out.append(track.data())
    return out


def close(track: TrackRecorder, data: bytes) -> bytes:
    tail, patches = track.close(0.0)
    out = bytearray(data + tail)
    for position, patch in patches:
        out[position : position + len(patch)] = patch
    return bytes(out)


def record(codec: Codec, frames: list[Encoded]) -> bytes:
    track = recorder(codec)
    return close(track, b"".join(chunks(track, encoded.pipe_packets(codec, frames))))


def read(data: bytes) -> list[tuple[float, bytes, bool]]:
    """Return (time in s, data, keyframe) of each packet of a file."""
    with av.open(io.BytesIO(data)) as container:
        return [
            (float(packet.pts * packet.time_base), bytes(packet), packet.is_keyframe)
            for packet in container.demux(container.streams[0])
            if packet.size
        ]


def comparable(codec: Codec, data: bytes, *, in_file: bool) -> object:
    """Return a frame without what a container may change: start codes, lengths, delimiters."""
    if codec == "av1":
        return encoded.obus(data)
    if codec != "h264":
        return data
    if not in_file:
        units = [unit for unit in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit]
        return [unit.rstrip(b"\0") for unit in units if unit[0] & 31 not in (9, 12)]
    out, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        out.append(data[at + 4 : at + 4 + length].rstrip(b"\0"))
        at += 4 + length
    return out


@pytest.mark.parametrize("codec", CODECS)
def test_frames_come_out_of_the_file_as_they_came_from_the_encoder(codec: Codec) -> None:
    frames = encode(codec)
    written = read(record(codec, frames))
    assert len(written) == len(frames)
    for (_, data, is_keyframe), frame in zip(written, frames, strict=True):
        assert comparable(codec, data, in_file=True) == comparable(codec, frame.data, in_file=False)
        assert is_keyframe == frame.is_keyframe
    step = 0.02 if codec == "opus" else 1 / 30
    delay = 0.0065 if codec == "opus" else 0.0  # what the encoder put before the sound
    for number, (at_s, _, _) in enumerate(written):
        assert at_s == pytest.approx(number * step - delay, abs=0.001)


@pytest.mark.parametrize("codec", CODECS)
def test_every_frame_decodes_and_the_file_says_what_it_is_and_how_long(codec: Codec) -> None:
    frames = encode(codec)
    with av.open(io.BytesIO(record(codec, frames))) as container:
        stream = container.streams[0]
        assert container.duration == pytest.approx(3_000_000, abs=1_000)
        begins = datetime.fromisoformat(container.metadata["creation_time"]).timestamp()
        assert begins == pytest.approx(TRACK_AT_S, abs=0.001)
        assert stream.metadata["title"] == "Anne Roy"
        if codec == "opus":
            assert stream.codec_context.sample_rate == 48_000
        else:
            assert (stream.codec_context.width, stream.codec_context.height) == (320, 240)
        decoded = list(container.decode(stream))
        assert len(decoded) == len(frames)


def test_the_doc_type_is_webm_where_webm_allows_the_codec() -> None:
    assert b"webm" in record("vp8", encode("vp8"))[:48]
    assert b"matroska" in record("h264", encode("h264"))[:48]


@pytest.mark.parametrize("codec", ["vp8", "h264", "opus"])
def test_seeking_finds_the_frame_before_the_time_through_the_cues(codec: Codec) -> None:
    frames = tone(12) if codec == "opus" else encoded.video(codec, 240, keyframe_every=60)
    with av.open(io.BytesIO(record(codec, frames))) as container:
        container.seek(6_000_000)
        at_s = next(container.decode(container.streams[0])).time
        assert at_s is not None
        assert (5.0 if codec == "opus" else 5.9) <= at_s <= 6.0


def test_a_picture_that_changes_its_size_goes_on_in_the_same_file() -> None:
    for codec in ("vp8", "vp9", "h264"):
        track = recorder(codec)
        parts = [encoded.video(codec, 30, size) for size in ((320, 240), (240, 320), (640, 480))]
        data = b""
        for number, part in enumerate(parts):
            batches = encoded.pipe_packets(codec, part, first_seq=1 + 5000 * number, first_timestamp=90_000 * number)
            data += b"".join(chunks(track, batches))
        with av.open(io.BytesIO(close(track, data))) as container:
            sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
        assert sizes == [(320, 240)] * 30 + [(240, 320)] * 30 + [(640, 480)] * 30


@pytest.mark.parametrize("codec", CODECS)
def test_a_file_cut_anywhere_plays_to_within_a_cluster_and_can_be_closed(codec: Codec, tmp_path: Path) -> None:
    track = recorder(codec)
    whole = b"".join(chunks(track, encoded.pipe_packets(codec, encode(codec))))
    header = whole.index(CLUSTER.to_bytes(4, "big"))
    for cut in (len(whole), len(whole) - 1, len(whole) * 2 // 3, len(whole) // 2):
        path = tmp_path / f"{codec}-{cut}"
        path.write_bytes(whole[:cut])
        before = read(path.read_bytes())
        repaired = repair.close_file(path, codec)
        assert repaired is not None
        data = path.read_bytes()
        assert repaired.bytes == len(data)
        after = read(data)
        assert 0 <= len(before) - len(after) <= CLUSTER_MS // 20
        assert [packet[1] for packet in after] == [packet[1] for packet in before][: len(after)]
        with av.open(io.BytesIO(data)) as container:
            assert container.duration is not None
            assert container.duration / 1e6 == pytest.approx(repaired.duration_s, abs=0.001)
            assert container.duration / 1e6 == pytest.approx(after[-1][0], abs=0.05)
        assert repair.close_file(path, codec) == repaired  # done twice is done once
        assert path.read_bytes() == data
    path = tmp_path / "header"
    path.write_bytes(whole[:header])
    assert repair.close_file(path, codec) is None


def test_closing_properly_and_repairing_come_to_the_same_file(tmp_path: Path) -> None:
    for codec in CODECS:
        track = recorder(codec)
        closed = close(track, b"".join(chunks(track, encoded.pipe_packets(codec, encode(codec)))))
        path = tmp_path / codec
        path.write_bytes(closed)
        repair.close_file(path, codec)
        assert path.read_bytes() == closed


def test_sets_of_h264_parameters_that_lie_about_their_length_are_refused() -> None:
    sps = next(unit for unit in h264_frame.units(encoded.payloads("h264", encode("h264")[0], 0)) if unit[0] & 31 == 7)
    assert h264_frame.size(sps) == (320, 240)
    for length in range(5):
        with pytest.raises(h264_frame.MalformedPacketError):
            h264_frame.size(sps[:length])
