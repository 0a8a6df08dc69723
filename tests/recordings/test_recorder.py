"""The recorder as a process, with real pipes: what happens to files when it ends, dies, or its disk is full."""

import asyncio
import io
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import av
import pytest

from control import messages as m
from control.ids import PublicationId, RecordingId
from recordings import manifest as manifests
from recordings.manifest import Manifest
from signaling.workers import WorkerError
from tests.recordings.test_matroska import read, tone
from tests.rig import encoded, recorder
from tests.rig.encoded import FRAME_TICKS, OPUS_TICKS, Encoded
from tests.rig.recorder import Control, Sender, begin, control, track

REC = RecordingId("rec1")
STARTED_AT_S = 1_700_000_000.0


@pytest.fixture(scope="module")
def pictures() -> list[Encoded]:
    return encoded.video("vp8", 300, keyframe_every=60)


@pytest.fixture(scope="module")
def sounds() -> list[Encoded]:
    return tone(10)


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Control]:
    async with control(tmp_path) as made:
        yield made


def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings" / REC


async def send(
    sender: Sender, frames: list[Encoded], *, start_s: float = 1.0, first: int = 0, until: Callable[[], object] = bool
) -> None:
    """Send frames about ten times as fast as they are played; stop early when `until` says so."""
    ticks = OPUS_TICKS if sender.spec.codec == "opus" else FRAME_TICKS
    sender.report(0, STARTED_AT_S + start_s)
    for number in range(first, len(frames)):
        sender.frame(frames[number], number, number * ticks)
        await asyncio.sleep(0.003)
        if until():
            return


async def one_microphone(plane: Control, tmp_path: Path, frames: list[Encoded]) -> tuple[Sender, Path]:
    """Record one microphone that sends these frames; return it and its file."""
    worker = await plane.recorder()
    await begin(worker, REC, STARTED_AT_S)
    microphone = await track(worker, REC, "opus")
    await send(microphone, frames)
    return microphone, folder(tmp_path) / "001-microphone.webm"


async def eventually(question: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not question():  # noqa: ASYNC110 - files tell nobody that they changed
            await asyncio.sleep(0.02)


def has(path: Path, least: int) -> bool:
    return path.exists() and path.stat().st_size >= least


async def test_tracks_of_a_recording_are_files_in_step_with_a_manifest(
    plane: Control, tmp_path: Path, pictures: list[Encoded], sounds: list[Encoded]
) -> None:
    worker = await plane.recorder()
    await begin(worker, REC, STARTED_AT_S)
    camera, microphone = await track(worker, REC, "vp8"), await track(worker, REC, "opus")
    await asyncio.gather(send(camera, pictures), send(microphone, sounds))
    closed = await worker.request(m.StopRecording(REC))
    assert isinstance(closed, m.RecordingClosed)
    by_source = {entry.source: entry for entry in closed.tracks}
    assert by_source.keys() == {"camera", "microphone"}
    for entry in closed.tracks:
        assert entry.complete
        assert entry.start_s == pytest.approx(1.0, abs=0.001)
        assert entry.duration_s == pytest.approx(10.0, abs=0.05)
        assert entry.bytes == (folder(tmp_path) / entry.file).stat().st_size
    written = read((folder(tmp_path) / by_source["camera"].file).read_bytes())
    assert [data for _, data, _ in written] == [frame.data for frame in pictures]
    kept = manifests.load(folder(tmp_path))
    assert (kept.state, kept.problem, kept.tracks, kept.visit) == ("stopped", None, closed.tracks, recorder.ROOM)
    assert sorted(path.name for path in folder(tmp_path).iterdir()) == sorted(
        ["manifest.json", *(entry.file for entry in closed.tracks)]
    )
    with pytest.raises(WorkerError):
        await worker.request(m.StopRecording(REC))
    camera.close()
    microphone.close()


async def test_a_lost_packet_drops_the_picture_to_the_next_keyframe_and_asks_for_one(
    plane: Control, tmp_path: Path, pictures: list[Encoded]
) -> None:
    worker = await plane.recorder()
    await begin(worker, REC, STARTED_AT_S)
    camera = await track(worker, REC, "vp8")
    camera.report(0, STARTED_AT_S + 1)
    for number, frame in enumerate(pictures[:115]):
        camera.frame(frame, number, number * FRAME_TICKS, lose=[0] if number == 70 else [])
        await asyncio.sleep(0.003)
    await eventually(camera.wants_keyframe)
    for number in range(115, 150):
        camera.frame(pictures[number], number, number * FRAME_TICKS)
        await asyncio.sleep(0.003)
    closed = await worker.request(m.StopRecording(REC))
    assert isinstance(closed, m.RecordingClosed)
    path = folder(tmp_path) / closed.tracks[0].file
    times = [round(at_s * 30) for at_s, _, _ in read(path.read_bytes())]
    assert times == [*range(70), *range(120, 150)]
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 100
    camera.close()


@pytest.mark.slow
async def test_a_killed_recorder_loses_at_most_the_last_second_and_another_one_goes_on(
    plane: Control, tmp_path: Path, sounds: list[Encoded]
) -> None:
    worker = await plane.recorder()
    started = time.time()
    await begin(worker, REC, started)
    microphone = await track(worker, REC, "opus")
    microphone.report(0, time.time())
    first = time.time()
    for number in range(150):  # in real time: what is measured is how much of it was on the disk
        microphone.frame(sounds[number], number, number * OPUS_TICKS)
        await asyncio.sleep(max(0.0, first + (number + 1) * 0.02 - time.time()))
    sent_s = time.time() - started
    await plane.kill()
    (path,) = folder(tmp_path).glob("*.webm")
    cut = read(path.read_bytes())
    (open_entry,) = manifests.load(folder(tmp_path)).tracks
    kept_s = open_entry.start_s + cut[-1][0] + 0.02
    print(f"sent {sent_s:.2f} s, on the disk {kept_s:.2f} s: lost {sent_s - kept_s:.2f} s")
    assert sent_s - kept_s < 1.0
    assert manifests.load(folder(tmp_path)).state == "active"

    worker = await plane.recorder()
    await begin(worker, REC, started, resume=True)
    again = await track(worker, REC, "opus")
    await send(again, sounds[:100], start_s=started + 5 - STARTED_AT_S)
    closed = await worker.request(m.StopRecording(REC))
    assert isinstance(closed, m.RecordingClosed)
    before, after = closed.tracks
    assert (before.complete, after.complete) == (False, True)
    assert before.start_s + before.duration_s == pytest.approx(kept_s, abs=0.05)
    assert after.start_s == pytest.approx(5, abs=0.01)
    with av.open(str(folder(tmp_path) / before.file)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(kept_s - before.start_s, abs=0.05)
    assert len(read((folder(tmp_path) / after.file).read_bytes())) == 100
    microphone.close()
    again.close()


@pytest.mark.slow
async def test_a_recording_that_nobody_resumes_is_closed_by_the_next_recorder(
    plane: Control, tmp_path: Path, sounds: list[Encoded]
) -> None:
    microphone, path = await one_microphone(plane, tmp_path, sounds)
    await eventually(lambda: has(path, 20_000))
    await plane.kill()
    await plane.recorder()
    await eventually(lambda: manifests.load(folder(tmp_path)).state != "active")
    kept = manifests.load(folder(tmp_path))
    assert (kept.state, kept.problem, kept.tracks[0].complete) == ("stopped", "recorder_lost", False)
    assert kept.tracks[0].duration_s > 5
    microphone.close()


@pytest.mark.slow
async def test_a_recorder_that_is_told_to_end_closes_its_files(
    plane: Control, tmp_path: Path, sounds: list[Encoded]
) -> None:
    microphone, path = await one_microphone(plane, tmp_path, sounds)
    await eventually(lambda: has(path, 1))
    await plane.kill(signal.SIGTERM)
    kept = manifests.load(folder(tmp_path))
    assert (kept.state, kept.problem, kept.tracks[0].complete) == ("stopped", "recorder_lost", True)
    assert kept.tracks[0].duration_s == pytest.approx(10, abs=0.05)
    microphone.close()


async def test_a_recording_is_refused_on_a_disk_without_the_space_that_the_operator_wants(
    plane: Control, tmp_path: Path
) -> None:
    worker = await plane.recorder(PARVIS_RECORDING__MINIMUM_FREE_MB=str(1 << 40))
    with pytest.raises(WorkerError) as refused:
        await begin(worker, REC, STARTED_AT_S)
    assert refused.value.code == "disk_full"
    assert not folder(tmp_path).exists()


async def test_names_that_lead_out_of_the_folder_are_refused(plane: Control, tmp_path: Path) -> None:
    worker = await plane.recorder()
    for name in ("../x", "", "a/b", "x" * 65):
        with pytest.raises(WorkerError):
            await begin(worker, RecordingId(name), STARTED_AT_S)
    assert not (tmp_path / "x").exists()
    await worker.request(m.StartRecording(REC, recorder.ROOM, STARTED_AT_S))
    await worker.request(m.StopTrack(REC, PublicationId("nobody's")))


def check_after_failure(root: Path, codes: set[str]) -> Manifest:
    """Everything that was written can be played, and the manifest says so."""
    kept = manifests.load(root)
    assert kept.state == "failed"
    assert kept.problem in codes
    assert kept.tracks
    for entry in kept.tracks:
        data = (root / entry.file).read_bytes()
        assert len(data) == entry.bytes
        assert entry.duration_s > 0.5
        with av.open(io.BytesIO(data)) as container:
            frames = len(list(container.decode(container.streams[0])))
            assert container.duration is not None
            assert container.duration / 1e6 == pytest.approx(entry.duration_s, abs=0.01)
        assert frames == len(read(data))
    return kept


async def fail(plane: Control, sender: Sender, frames: list[Encoded]) -> m.RecordingFailed:
    """Send until the recorder says that it cannot go on."""

    def failures() -> list[m.RecordingFailed]:
        return [notice for notice in plane.notices if isinstance(notice, m.RecordingFailed)]

    await send(sender, frames * 20, until=failures)
    await plane.until(failures)
    return failures()[0]


async def test_a_file_that_may_not_grow_ends_its_recording_and_harms_no_other(
    plane: Control, tmp_path: Path, pictures: list[Encoded], sounds: list[Encoded]
) -> None:
    limit = 400_000  # bytes: enough for the sounds, not for the pictures
    prlimit = shutil.which("prlimit")
    assert prlimit is not None
    worker = await plane.recorder(prefix=[prlimit, f"--fsize={limit}"])
    other = RecordingId("rec2")
    for recording in (REC, other):
        await begin(worker, recording, STARTED_AT_S)
    camera, microphone = await track(worker, REC, "vp8"), await track(worker, other, "opus")
    failed, _ = await asyncio.gather(fail(plane, camera, pictures), send(microphone, sounds))
    assert (failed.recording, failed.code) == (REC, "disk_full")
    closed = await worker.request(m.StopRecording(REC))
    assert isinstance(closed, m.RecordingClosed)
    kept = check_after_failure(folder(tmp_path), {"disk_full"})
    assert kept.tracks == closed.tracks
    assert kept.tracks[0].bytes > limit // 2
    spared = await worker.request(m.StopRecording(other))
    assert isinstance(spared, m.RecordingClosed)
    assert spared.tracks[0].complete
    assert len(read((tmp_path / "recordings" / other / spared.tracks[0].file).read_bytes())) == len(sounds)
    camera.close()
    microphone.close()


async def test_a_folder_that_was_taken_away_ends_its_recording_and_what_was_written_is_in_it(
    plane: Control, tmp_path: Path, pictures: list[Encoded], sounds: list[Encoded]
) -> None:
    worker = await plane.recorder()
    await begin(worker, REC, STARTED_AT_S)
    microphone = await track(worker, REC, "opus")
    await send(microphone, sounds[:200])
    await eventually(lambda: has(folder(tmp_path) / "001-microphone.webm", 1))
    moved = tmp_path / "elsewhere"
    folder(tmp_path).rename(moved)
    camera = await track(worker, REC, "vp8")  # a file that cannot be made
    failed = await fail(plane, camera, pictures)
    assert failed.code == "write_error"
    closed = await worker.request(m.StopRecording(REC))
    assert isinstance(closed, m.RecordingClosed)
    assert [entry.source for entry in closed.tracks] == ["microphone"]
    with av.open(str(moved / closed.tracks[0].file)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(4.0, abs=0.05)
    await begin(worker, RecordingId("rec2"), STARTED_AT_S)  # the recorder itself is well
    camera.close()
    microphone.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1.6 MiB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1600k", "none", str(mount)], capture_output=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", "--lazy", str(mount)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("minimum_mb", [0, 1])
async def test_a_full_disk_ends_a_recording_and_everything_written_can_be_played(
    plane: Control, small_disk: Path, pictures: list[Encoded], sounds: list[Encoded], minimum_mb: int
) -> None:
    worker = await plane.recorder(
        PARVIS_RECORDING__FOLDER=str(small_disk), PARVIS_RECORDING__MINIMUM_FREE_MB=str(minimum_mb)
    )
    await begin(worker, REC, STARTED_AT_S)
    camera, microphone = await track(worker, REC, "vp8"), await track(worker, REC, "opus")
    failed, _ = await asyncio.gather(fail(plane, camera, pictures), send(microphone, sounds))
    assert failed.code == "disk_full"
    closed = await worker.request(m.StopRecording(REC))
    assert isinstance(closed, m.RecordingClosed)
    kept = check_after_failure(small_disk / REC, {"disk_full"})
    assert {entry.source for entry in kept.tracks} == {"camera", "microphone"}
    if minimum_mb:  # there was room left to close everything as it should be
        assert all(entry.complete for entry in kept.tracks)
        assert os.statvfs(small_disk).f_bavail > 0
        with pytest.raises(WorkerError) as refused:
            await begin(worker, RecordingId("rec2"), STARTED_AT_S)
        assert refused.value.code == "disk_full"
    camera.close()
    microphone.close()
