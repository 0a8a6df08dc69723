"""A visit recorded through the whole of Parvis: in sync, over the deaths of its processes, and everybody is told."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recordings import manifest as manifests
from signaling import messages as s
from tests.browser.server import running
from tests.interop.participant import Participant, entered
from tests.rig.presenter import Presenter, marks

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("heavy")]

IN_SYNC_S = 0.040
SETTINGS = {"PARVIS_TRANSCRIPTION__ENABLED": "false", "PARVIS_RECORDING__MINIMUM_FREE_MB": "1"}


def states(participant: Participant) -> list[tuple[str, str | None]]:
    return [
        (message.recording.state, message.recording.problem)
        for message in participant.messages
        if isinstance(message, s.RecordingChanged)
    ]


async def state(participant: Participant, wanted: str, *, after: int = 0) -> s.RecordingChanged:
    """Wait for a state among the messages after the first so many."""
    found = await participant.wait(
        lambda message: (
            isinstance(message, s.RecordingChanged) and message.recording.state == wanted and message.n > after
        )
    )
    assert isinstance(found, s.RecordingChanged)
    return found


async def start(participant: Participant) -> s.RecordingInfo:
    """Record, as soon as there is a recorder: on a busy machine it takes its time to start."""
    async with asyncio.timeout(60):
        for number in itertools.count(1000):
            await participant.send(s.StartRecording(number))
            answer = await participant.wait(
                lambda message: (
                    (isinstance(message, s.Error) and message.id == number)  # noqa: B023
                    or (isinstance(message, s.RecordingChanged) and message.recording.state == "active")
                )
            )
            if isinstance(answer, s.RecordingChanged):
                return answer.recording
            assert isinstance(answer, s.Error)
            assert answer.code == "recorder_unavailable"
    raise AssertionError


async def media(participant: Participant, count: int) -> None:
    """Wait until so many tracks are live."""

    def live() -> set[str]:
        return {
            message.publication.id
            for message in participant.messages
            if isinstance(message, s.PublicationChanged) and message.publication.live
        }

    await participant.wait(lambda _message: len(live()) >= count)


async def recorded(seconds: float, files: Callable[[], list[Path]]) -> None:
    """Wait until so many seconds of media are in the files: the time itself is what is recorded."""
    async with asyncio.timeout(60):
        while not files():  # noqa: ASYNC110 - files tell nobody that they changed
            await asyncio.sleep(0.05)
    await asyncio.sleep(seconds)


async def test_two_people_are_recorded_within_40_ms_of_each_other_whatever_their_clocks_say(tmp_path: Path) -> None:
    with running(tmp_path, settings=SETTINGS) as server:
        async with entered(server.link, "Anne") as anne:
            assert anne.welcome is not None
            assert anne.welcome.guest_link is not None
            guest_link = server.link.split("/new/")[0] + anne.welcome.guest_link
            first = Presenter(anne, clock_error_s=-7_200.0, seed=1)
            await first.connect()
            async with entered(guest_link, "Luc") as luc, asyncio.TaskGroup() as tasks:
                sending = [tasks.create_task(first.run())]
                await media(anne, 2)
                begun = await start(anne)
                assert (await state(luc, "active")).recording == begun
                assert begun.id is not None
                folder = tmp_path / "recordings" / begun.id
                await recorded(2, lambda: list(folder.glob("*.webm")))
                second = Presenter(luc, clock_error_s=3_600.0, seed=2)  # comes while it is recorded
                await second.connect()
                sending.append(tasks.create_task(second.run()))
                await recorded(8, lambda: list(folder.glob("004-*")))
                async with entered(guest_link, "Zoé") as zoe:
                    assert zoe.welcome is not None
                    assert zoe.welcome.recording == begun
                    await luc.send(s.StopRecording(2))
                    refused = await luc.wait(lambda message: isinstance(message, s.Error))
                    assert isinstance(refused, s.Error)
                    assert refused.code == "not_allowed"
                await anne.send(s.StopRecording(2))
                await state(anne, "idle")
                for task in sending:
                    task.cancel()
            first.close()
            second.close()
    kept = manifests.load(folder)
    assert (kept.state, kept.problem) == ("stopped", None)
    assert all(track.complete for track in kept.tracks)
    found = {(track.name, track.source): marks(folder / track.file, track.start_s) for track in kept.tracks}
    assert found.keys() == {(name, source) for name in ("Anne", "Luc") for source in ("camera", "microphone")}
    # Beeps and flashes are on the whole seconds of the wall clock: every file is held against the truth itself.
    for who, seen in found.items():
        errors = [(kept.started_at_s + at + 0.5) % 1 - 0.5 for at in seen.times]
        print(who, "later than captured by", ", ".join(f"{error * 1000:+.1f}" for error in errors), "ms")
        assert len(errors) >= (9 if who[0] == "Anne" else 7)
    worst = 0.0
    for one, seen in found.items():
        for other, seen_too in found.items():
            if one < other:
                offsets = [offset for offset in seen.offsets(seen_too) if abs(offset) < 0.5]
                worst = max(worst, *(abs(offset) for offset in offsets))
    print(f"largest offset between any two tracks: {worst * 1000:.1f} ms")
    assert worst <= IN_SYNC_S


async def test_a_recording_goes_on_after_its_recorder_and_its_media_worker_died(tmp_path: Path) -> None:
    with running(tmp_path, settings=SETTINGS) as server:
        async with entered(server.link, "Anne") as anne, asyncio.TaskGroup() as tasks:
            presenter = Presenter(anne, clock_error_s=0.0, seed=3)
            await presenter.connect()
            sending = tasks.create_task(presenter.run())
            await media(anne, 2)
            begun = await start(anne)
            assert begun.id is not None
            folder = tmp_path / "recordings" / begun.id
            await recorded(4, lambda: list(folder.glob("002-*")))

            died_at_s, sent_at_s = time.time(), dict(presenter.sent_at_s)
            os.kill(server.worker("record"), signal.SIGKILL)
            lost = await anne.wait(
                lambda message: isinstance(message, s.RecordingChanged) and message.recording.problem == "recorder_lost"
            )
            assert isinstance(lost, s.RecordingChanged)
            assert (lost.recording.state, lost.recording.id) == ("starting", begun.id)
            again = await state(anne, "active", after=lost.n)
            print(f"recording again {time.time() - died_at_s:.1f} s after its recorder was killed")
            assert again.recording.id == begun.id
            await recorded(3, lambda: list(folder.glob("004-*")))

            os.kill(server.worker("media"), signal.SIGKILL)
            await anne.wait(lambda message: isinstance(message, s.MediaLost))
            sending.cancel()
            await presenter.connect(generation=2)
            sending = tasks.create_task(presenter.run())
            await recorded(3, lambda: list(folder.glob("006-*")))
            await anne.send(s.StopRecording(2))
            await state(anne, "idle")
            sending.cancel()
            presenter.close()
    assert [each for each in states(anne) if each[0] == "failed"] == []
    kept = manifests.load(folder)
    assert (kept.state, len(kept.tracks)) == ("stopped", 6)
    assert [track.complete for track in kept.tracks] == [False, False, True, True, True, True]
    for track in kept.tracks[:2]:
        lost_s = sent_at_s[track.source] - kept.started_at_s - track.start_s - track.duration_s
        print(f"{track.source}: the last {lost_s:.2f} s that were sent before the kill are not in the file")
        assert lost_s < 1.0
    for track in kept.tracks:
        errors = [(kept.started_at_s + at + 0.5) % 1 - 0.5 for at in marks(folder / track.file, track.start_s).times]
        assert errors
        assert max(abs(error) for error in errors) < IN_SYNC_S


@pytest.mark.parametrize("last_word", [s.Leave(), s.EndVisit()])
async def test_a_recording_ends_with_its_room(tmp_path: Path, last_word: s.Leave | s.EndVisit) -> None:
    with running(tmp_path, settings=SETTINGS) as server:
        async with entered(server.link, "Anne") as anne, asyncio.TaskGroup() as tasks:
            presenter = Presenter(anne, clock_error_s=0.0, seed=4)
            await presenter.connect()
            sending = tasks.create_task(presenter.run())
            await media(anne, 2)
            begun = await start(anne)
            assert begun.id is not None
            folder = tmp_path / "recordings" / begun.id
            await recorded(1, lambda: list(folder.glob("002-*")))
            await anne.send(last_word)
            async with asyncio.timeout(10):
                while manifests.load(folder).state == "active":  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            sending.cancel()
            presenter.close()
        kept = manifests.load(folder)
        assert (kept.state, kept.problem) == ("stopped", None)
        assert all(track.complete for track in kept.tracks)
