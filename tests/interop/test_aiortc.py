"""aiortc publishes into a visit and receives from it: another implementation of all of WebRTC agrees with ours."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urljoin

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamTrack

from signaling import messages as s
from tests.browser.server import Server, running
from tests.interop.participant import PATIENCE_S, Colour, Participant, Tone, entered

pytestmark = pytest.mark.slow

NO_CAPTIONS = {"PARVIS_TRANSCRIPTION__ENABLED": "false"}


async def colour_of(track: MediaStreamTrack) -> tuple[int, int, int]:
    """Return the colour in the middle of a received picture (after the first ones, which may be half there)."""
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(10):
            frame = await track.recv()
    assert isinstance(frame, av.VideoFrame)
    red, green, blue = frame.to_ndarray(format="rgb24")[frame.height // 2, frame.width // 2]
    return int(red), int(green), int(blue)


async def tone_of(track: MediaStreamTrack) -> float:
    """Return the strongest frequency (Hz) in a second of received sound."""
    frames = []
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(100):
            frames.append(await track.recv())
    tail = frames[50:]
    samples = np.concatenate([frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in tail])
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(spectrum.argmax() * tail[0].sample_rate / samples.size)


def guest_link(server: Server, host: Participant) -> str:
    assert host.welcome is not None
    assert host.welcome.guest_link is not None
    return urljoin(server.link, host.welcome.guest_link)


async def test_aiortc_is_seen_and_heard_by_aiortc(tmp_path: Path) -> None:
    with running(tmp_path, settings=NO_CAPTIONS) as server:
        async with entered(server.link, "Anne") as anne, entered(guest_link(server, anne), "Luc") as luc:
            microphone, camera = await anne.publish(microphone=Tone(440), camera=Colour(200, 30, 30))
            red, green, blue = await colour_of(await luc.track(camera))
            assert red > 150 > max(green, blue)
            assert await tone_of(await luc.track(microphone)) == pytest.approx(440, abs=15)

            theirs, mine = await luc.publish(microphone=Tone(880), camera=Colour(30, 30, 200))
            red, green, blue = await colour_of(await anne.track(mine))
            assert blue > 150 > max(red, green)
            assert await tone_of(await anne.track(theirs)) == pytest.approx(880, abs=15)
            assert not [message for message in [*anne.messages, *luc.messages] if isinstance(message, s.Error)]


async def test_somebody_who_comes_late_gets_a_picture_at_once(tmp_path: Path) -> None:
    with running(tmp_path, settings=NO_CAPTIONS) as server:
        async with entered(server.link, "Anne") as anne:
            (camera,) = await anne.publish(camera=Colour(30, 180, 30))
            await anne.wait(lambda m: isinstance(m, s.PublicationChanged) and m.publication.live)
            async with entered(guest_link(server, anne), "Luc") as luc:
                red, green, blue = await colour_of(await luc.track(camera))
                assert green > 130 > max(red, blue)
