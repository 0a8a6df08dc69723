"""A track's time: nothing is lost or moved by a late clock, a pause, or a clock that is corrected."""

import io

import av
import numpy as np
import pytest

from recordings.clock import TrackClock
from recordings.matroska import CLUSTER_MS
from recordings.track import KEYFRAME_INTERVAL_S, TrackRecorder
from tests.recordings.test_matroska import STARTED_AT_S, TRACK_AT_S, chunks, close, job, read, recorder, tone
from tests.rig import encoded


def test_packets_before_the_first_sender_report_wait_for_it() -> None:
    for codec in ("opus", "vp8"):
        frames = tone(1) if codec == "opus" else encoded.video("vp8", 30)
        track = recorder(codec)
        told, track.wall_time = track.wall_time, lambda _timestamp: None
        batches = list(encoded.pipe_packets(codec, frames))
        assert chunks(track, iter(batches[:20])) == [b""] * 20
        track.wall_time = told
        written = read(close(track, b"".join(chunks(track, iter(batches[20:])))))
        assert len(written) == len(frames)
        assert track.start_s == 2.0


def test_waiting_for_a_report_that_never_comes_takes_no_more_than_its_bound() -> None:
    track = recorder("vp8")
    told, track.wall_time = track.wall_time, lambda _timestamp: None
    frames = encoded.video("vp8", 60, keyframe_every=30) * 20
    for packets in encoded.pipe_packets("vp8", frames):
        track.packets(packets, 0.0)
    track.wall_time = told
    last = encoded.pipe_packets("vp8", frames[:1], first_seq=99_999, first_timestamp=3000 * len(frames))
    written = read(close(track, b"".join(chunks(track, last))))
    assert 300 < len(written) <= 501
    assert written[0][2]


def test_a_pause_leaves_what_comes_after_it_at_its_time() -> None:
    track = recorder("vp8")
    frames = encoded.video("vp8", 60, keyframe_every=30)
    data = b"".join(chunks(track, encoded.pipe_packets("vp8", frames[:30])))
    later = encoded.pipe_packets("vp8", frames[30:], first_seq=1000, first_timestamp=90_000 * 61)
    times = [at_s for at_s, _, _ in read(close(track, data + b"".join(chunks(track, later))))]
    assert times[29] == pytest.approx(29 / 30, abs=0.001)
    assert times[30:32] == pytest.approx([61.0, 61 + 1 / 30], abs=0.001)


def sound_after_a_pause(pause_ms: int) -> bytes:
    track = recorder("opus")
    frames = tone(1)
    data = b"".join(chunks(track, encoded.pipe_packets("opus", frames)))
    later = encoded.pipe_packets("opus", frames, first_seq=1000, first_timestamp=48 * (1000 + pause_ms))
    return close(track, data + b"".join(chunks(track, later)))


@pytest.mark.parametrize("pause_ms", [20, 60, 140, 5_000])
def test_sound_after_a_pause_is_heard_at_its_time_even_where_timestamps_are_ignored(pause_ms: int) -> None:
    data = sound_after_a_pause(pause_ms)
    assert read(data)[-50][0] == pytest.approx(1.0 + pause_ms / 1000 - 0.0065, abs=0.001)
    for name in ("opus", "libopus"):
        with av.open(io.BytesIO(data)) as container:
            stream = container.streams[0]
            decoder = av.CodecContext.create(name, "r")
            decoder.sample_rate, decoder.layout = 48_000, "stereo"
            decoder.extradata = stream.codec_context.extradata
            decoded = [frame for packet in container.demux(stream) if packet.size for frame in decoder.decode(packet)]
        assert sum(frame.samples for frame in decoded) == pytest.approx(48 * (2000 + pause_ms) - 312, abs=48)


def test_sound_that_was_said_before_the_recording_began_is_not_in_it() -> None:
    track = recorder("opus")
    track.wall_time = lambda timestamp: STARTED_AT_S - 0.1 + timestamp / 48_000
    written = read(close(track, b"".join(chunks(track, encoded.pipe_packets("opus", tone(1))))))
    assert 44 <= len(written) <= 45
    assert 0 <= track.start_s < 0.03


def test_a_picture_without_keyframes_is_asked_for_one_now_and_then() -> None:
    track = recorder("vp8")
    batches = list(encoded.pipe_packets("vp8", encoded.video("vp8", 10)))
    track.packets(batches[0], 100.0)
    assert not track.keyframe_due(100.0 + KEYFRAME_INTERVAL_S - 0.1)
    assert track.keyframe_due(100.0 + KEYFRAME_INTERVAL_S)
    assert not track.keyframe_due(100.1 + KEYFRAME_INTERVAL_S)
    assert track.keyframe_due(100.0 + 2 * KEYFRAME_INTERVAL_S)


def test_what_has_come_is_let_go_of_without_waiting_for_more() -> None:
    track = recorder("opus")
    batches = list(encoded.pipe_packets("opus", tone(1)))
    for number, batch in enumerate(batches[:10]):
        track.packets(batch, number * 0.02)
    track.handle_timeout(CLUSTER_MS / 1000 - 0.01)
    header = track.data()
    assert len(header) < 400
    track.handle_timeout(CLUSTER_MS / 1000)
    assert len(read(header + track.data())) == 10


def test_timestamps_from_the_future_do_not_fill_the_disk_with_silence() -> None:
    track = TrackRecorder(job("opus"), STARTED_AT_S, 77, monotonic_to_unix_s=TRACK_AT_S)
    track.wall_time = lambda timestamp: TRACK_AT_S + timestamp / 48_000
    frames = tone(1)
    data = b"".join(chunks(track, encoded.pipe_packets("opus", frames)))
    far = encoded.pipe_packets("opus", frames, first_seq=1000, first_timestamp=48_000 * 3600 * 12)
    data += b"".join(chunks(track, far))
    assert len(read(close(track, data))) == len(frames)
    assert track.refused == len(frames)


def test_nothing_is_written_of_a_track_that_never_sent() -> None:
    track = TrackRecorder(job("vp8"), STARTED_AT_S, 1)
    assert not track.begun
    assert track.close(0.0) == (b"", [])


def test_a_clock_follows_drift_and_mends_large_errors_at_once_but_not_every_wobble() -> None:
    clock = TrackClock(48_000)
    jitter = np.random.default_rng(7).uniform(-0.005, 0.005, 3000)
    corrections = 0
    before = TRACK_AT_S
    for second in range(3000):
        truth = TRACK_AT_S + second * 1.0001  # a sound card 100 ppm slow
        at_s = clock.at_s(48_000 * second, truth + jitter[second])
        assert at_s == pytest.approx(truth, abs=0.016)
        corrections += abs(at_s - before - 1) > 0.001 and second > 0
        before = at_s
    assert corrections < 60  # 0.3 s of drift, some milliseconds at a time
    assert clock.at_s(48_000 * 3000, before + 1.5) == pytest.approx(before + 1.5)
