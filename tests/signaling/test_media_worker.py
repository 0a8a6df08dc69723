"""A room and its media worker: one that refuses is asked again, but not without a pause."""

from pathlib import Path

import pytest

from control import messages as m
from signaling import media
from signaling import messages as s
from tests.signaling.house import house, worker


async def test_a_worker_that_refuses_to_open_the_room_is_asked_seldom_and_the_client_hears_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "WAIT_S", 0.8)
    asked = 0

    async def refuse(command: m.Command) -> m.Result:
        nonlocal asked
        asked += isinstance(command, m.OpenRoom)
        return m.Failed("worker_full", "no more rooms here")

    async with house(tmp_path) as running, worker(running, refuse), running.joined() as client:
        await client.send(s.Publish(7, "v=0", [s.PublishedTrack("0", "camera")]))
        error = await client.error()
        assert (error.code, error.id, error.fatal) == ("media_unavailable", 7, False)
        await client.works()
    # Two have asked, the subscriber of who came in and the offer: at 0, 0.1, 0.3, 0.7 s each.
    assert 2 <= asked <= 10


async def test_a_worker_that_refused_gets_the_room_when_it_can_take_it(tmp_path: Path) -> None:
    asked = 0

    async def reluctant(command: m.Command) -> m.Result:
        nonlocal asked
        if isinstance(command, m.OpenRoom):
            asked += 1
            return m.Done() if asked > 2 else m.Failed("worker_full", "not yet")
        return m.SessionDescription("the answer") if isinstance(command, m.Publish) else m.Done()

    async with house(tmp_path) as running, worker(running, reluctant), running.joined() as client:
        await client.send(s.Publish(1, "v=0", [s.PublishedTrack("0", "camera")]))
        answer = await client.wait(s.PublishAnswer)
        assert isinstance(answer, s.PublishAnswer)
        assert answer.sdp == "the answer"
    assert asked == 3
