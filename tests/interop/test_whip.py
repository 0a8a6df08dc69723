"""Programs that nobody here wrote publish into a visit by WHIP, and people see and hear them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import av
import pytest

from signaling import messages as s
from tests.browser.server import running
from tests.interop import encoder
from tests.interop.http_peer import endpoint, http_peer
from tests.interop.participant import Colour, Participant, Tone, entered
from tests.interop.test_aiortc import NO_CAPTIONS, colour_of, guest_link, tone_of

pytestmark = pytest.mark.slow


@asynccontextmanager
async def ffmpeg(
    link: str, seconds: float, *options: str, profile: str = "baseline", **query: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run FFmpeg's own WHIP muxer against a visit; it ends with the block."""
    url, token = endpoint(link, "whip", **query)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.interop.encoder",
        url,
        token,
        str(seconds),
        profile,
        *options,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def live(participant: Participant, name: str, source: str) -> Callable[[s.ServerMessage], bool]:
    """Ask for the live publication of somebody else, by name."""

    def wanted(message: s.ServerMessage) -> bool:
        if not isinstance(message, s.PublicationChanged) or not message.publication.live:
            return False
        owners = {
            m.participant.id: m.participant.name for m in participant.messages if isinstance(m, s.ParticipantJoined)
        }
        publication = message.publication
        return publication.source == source and owners.get(publication.participant) == name

    return wanted


async def test_an_aiortc_encoder_is_seen_and_heard_and_leaves_when_it_says_so(tmp_path: Path) -> None:
    with running(tmp_path, settings=NO_CAPTIONS) as server:
        async with entered(server.link, "Anne") as anne:
            link = guest_link(server, anne)
            async with http_peer("whip", link, Tone(440), Colour(200, 30, 30), name="Salle 3") as encoder:
                camera = await anne.wait(live(anne, "Salle 3", "camera"))
                microphone = await anne.wait(live(anne, "Salle 3", "microphone"))
                assert isinstance(camera, s.PublicationChanged)
                assert isinstance(microphone, s.PublicationChanged)
                red, green, blue = await colour_of(await anne.track(camera.publication.id))
                assert red > 150 > max(green, blue)
                assert await tone_of(await anne.track(microphone.publication.id)) == pytest.approx(440, abs=15)
                assert await encoder.end() == 200
                left = await anne.wait(lambda m: isinstance(m, s.ParticipantLeft))
                assert isinstance(left, s.ParticipantLeft)
                assert (left.participant, left.reason) == (camera.publication.participant, "left")
                assert await encoder.end() == 404
            assert not [message for message in anne.messages if isinstance(message, s.Error)]


async def test_an_encoder_that_vanishes_leaves_by_itself(tmp_path: Path) -> None:
    with running(tmp_path, settings=NO_CAPTIONS) as server:
        async with entered(server.link, "Anne") as anne:
            async with http_peer("whip", guest_link(server, anne), Tone(440)):
                await anne.wait(live(anne, "Caméra", "microphone"))
            left = await anne.wait(lambda m: isinstance(m, s.ParticipantLeft))
            assert isinstance(left, s.ParticipantLeft)
            assert left.reason == "lost"


@pytest.mark.parametrize("role", ["passive", "active"])
async def test_ffmpeg_is_seen_and_heard_whichever_dtls_role_it_takes(
    tmp_path: Path, role: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("encoder", f"FFmpeg {av.ffmpeg_version_info} in PyAV {av.__version__}, DTLS {role}")
    options = ["whip_flags=dtls_active"] if role == "active" else []
    with running(tmp_path, settings=NO_CAPTIONS) as server:
        async with entered(server.link, "Anne") as anne:
            async with ffmpeg(guest_link(server, anne), 6, *options, name="Encodeur") as process:
                camera = await anne.wait(live(anne, "Encodeur", "camera"))
                microphone = await anne.wait(live(anne, "Encodeur", "microphone"))
                assert isinstance(camera, s.PublicationChanged)
                assert isinstance(microphone, s.PublicationChanged)
                seen = await colour_of(await anne.track(camera.publication.id))
                assert seen == pytest.approx(encoder.COLOUR, abs=12)
                heard = await tone_of(await anne.track(microphone.publication.id))
                assert heard == pytest.approx(encoder.FREQUENCY_HZ, abs=15)
                async with asyncio.timeout(30):
                    assert await process.wait() == 0
            left = await anne.wait(lambda m: isinstance(m, s.ParticipantLeft))
            assert isinstance(left, s.ParticipantLeft)
            assert left.reason == "left", "FFmpeg ends its session by DELETE"
