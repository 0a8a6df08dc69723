"""Session descriptions that are nonsense, through the real engine: each is refused in words, and everybody goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from control import messages as m
from control.ids import PublicationId
from control.tracks import Codec
from signaling import messages as s
from tests.signaling.house import Client, House, house, media_worker
from tests.signaling.offers import CHROMIUM_VIEWER, FFMPEG, crlf
from tests.signaling.test_whep import post as watch
from tests.signaling.test_whip import Answer
from tests.signaling.test_whip import post as publish_by_http

Ask = Callable[[House, str], Awaitable[Answer]]
OFFER = crlf(FFMPEG)
VIDEO = OFFER[OFFER.index("m=video") :]
TRACKS = [s.PublishedTrack("0", "microphone"), s.PublishedTrack("1", "camera")]
HUNDRED = "".join(VIDEO.replace("a=mid:1", f"a=mid:{number}") for number in range(2, 102))
BAD = {
    "nothing": "",
    "a word": "bonjour",
    "JSON": '{"type":"offer","sdp":"v=0"}',
    "the version alone": "v=0",
    "no section": OFFER[: OFFER.index("m=audio")],
    "truncated in a line": OFFER[:333],
    "truncated before the fingerprint": OFFER[: OFFER.index("a=fingerprint")],
    "the same mid twice": OFFER.replace("a=mid:1", "a=mid:0"),
    "no mid": OFFER.replace("a=mid:", "a=x-mid:"),
    "a hundred sections": OFFER + HUNDRED,
    "twenty sections": OFFER + HUNDRED[: HUNDRED.index("a=mid:20")] + "a=mid:20\r\n",
    "no bundle": OFFER.replace("a=group:BUNDLE 0 1\r\n", ""),
    "a bundle of others": OFFER.replace("BUNDLE 0 1", "BUNDLE 7 8"),
    "no ICE": OFFER.replace("a=ice-pwd:", "a=x-pwd:"),
    "no fingerprint": OFFER.replace("a=fingerprint:", "a=x-fingerprint:"),
    "a weak fingerprint": OFFER.replace("sha-256", "sha-1"),
    "no role": OFFER.replace("a=setup:passive", "a=setup:holdconn"),
    "RTCP of its own": OFFER.replace("a=rtcp-mux\r\n", ""),
    "a payload type of words": OFFER.replace("SAVPF 111", "SAVPF opus"),
    "a port of words": OFFER.replace("m=audio 9", "m=audio nine"),
    "a clock of words": OFFER.replace("opus/48000/2", "opus/fast/2"),
    "an SSRC of words": OFFER.replace("a=ssrc:2411534685", "a=ssrc:mine"),
    "a line of 5,000 characters": OFFER + "a=x:" + "y" * 5000 + "\r\n",
    "zeros": OFFER.replace("a=", "\0=", 1),
    "line ends only": "\r\n" * 1000,
}


async def test_nonsense_to_publish_is_refused_and_a_good_offer_is_taken_after_it(tmp_path: Path) -> None:
    async with house(tmp_path) as running, media_worker(running), running.joined("clerk") as innocent:
        for number, (what, sdp) in enumerate(BAD.items()):
            async with running.joined(name="Hostile") as hostile:
                await hostile.send(s.Publish(number, sdp, TRACKS))
                error = await hostile.error()
                assert (error.code, error.id, error.fatal) == ("sdp_invalid", number, False), what
                await hostile.send(s.Publish(number + 1, OFFER, TRACKS))
                answer = await hostile.wait(s.PublishAnswer, s.Error)
                assert isinstance(answer, s.PublishAnswer), what
                await hostile.send(s.Publish(number + 2, sdp, TRACKS))
                assert (await hostile.error()).code == "sdp_invalid", what
                await hostile.works()
                await hostile.send(s.Leave())
        await innocent.works()


async def test_whatever_a_client_writes_into_its_offer_reaches_nobody_else(tmp_path: Path) -> None:
    evil = OFFER.replace("profile-level-id=42000d", "profile-level-id=42000d;x=\ta=candidate:evil").replace(
        "FFmpeg", "evil"
    )
    async with (
        house(tmp_path) as running,
        media_worker(running),
        running.joined("clerk") as innocent,
        running.joined(name="Hostile") as hostile,
    ):
        await hostile.send(s.Publish(1, evil, TRACKS))
        answer = await hostile.wait(s.PublishAnswer)
        assert isinstance(answer, s.PublishAnswer)
        assert "evil" not in answer.sdp
        offer = await offered(running, innocent)
        assert "evil" not in offer.sdp


async def test_a_frame_that_is_no_utf_8_closes_its_socket_and_no_other(tmp_path: Path) -> None:
    async with house(tmp_path) as running, running.joined("clerk") as innocent, running.joined() as hostile:
        await hostile.socket._writer.send_frame(b'{"type":"chat","text":"\xff\xfe"}', aiohttp.WSMsgType.TEXT)
        await hostile.ended()
        assert hostile.socket.close_code == aiohttp.WSCloseCode.INVALID_TEXT
        await innocent.works()


def flow(running: House) -> None:
    """Let the media worker say that packets arrive of everything that is published."""
    room = running.signaling.rooms["visit"]
    for info in list(room.publications.values()):
        codec: Codec = "opus" if info.kind == "audio" else "h264"
        room.noticed(m.PublicationStarted(PublicationId(info.id), info.kind, codec, 48_000, 1, []))


async def offered(running: House, client: Client) -> s.SubscriberOffer:
    """Return the offer that a client gets for what is published."""
    flow(running)
    offer = await client.wait(s.SubscriberOffer)
    assert isinstance(offer, s.SubscriberOffer)
    return offer


async def test_nonsense_as_an_answer_is_refused_and_the_right_one_is_taken_after_it(tmp_path: Path) -> None:
    async with (
        house(tmp_path) as running,
        media_worker(running),
        running.joined("clerk", name="Innocent") as innocent,
        running.joined(name="Hostile") as hostile,
    ):
        await innocent.send(s.Publish(1, OFFER, [TRACKS[1]]))
        await innocent.wait(s.PublishAnswer)
        offer = await offered(running, hostile)
        for what, sdp in (BAD | {"an offer": CHROMIUM_VIEWER, "an answer to more": OFFER}).items():
            await hostile.send(s.SubscriberAnswer(offer.peer, offer.revision, sdp))
            error = await hostile.error()
            assert (error.code, error.fatal) == ("sdp_invalid", False), what
        connection = RTCPeerConnection()
        await connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        right = connection.localDescription.sdp
        for revision in (offer.revision + 1, 0):
            await hostile.send(s.SubscriberAnswer(offer.peer, revision, right))
            assert (await hostile.error()).code == "not_found"
        before = len(hostile.messages)
        await hostile.send(s.SubscriberAnswer(offer.peer, offer.revision, right))
        await hostile.send(s.SubscriberAnswer("of-a-peer-that-is-gone", 1, right))
        await hostile.works()
        assert not [message for message in hostile.messages[before:] if isinstance(message, s.Error)]
        await hostile.send(s.SubscriberAnswer(offer.peer, offer.revision, right))
        assert (await hostile.error()).code == "not_found", "it is answered already"
        await connection.close()
        await innocent.works()


@pytest.mark.parametrize("ask", [publish_by_http, watch])
async def test_nonsense_over_http_is_refused(tmp_path: Path, ask: Ask) -> None:
    async with house(tmp_path) as running, media_worker(running), running.joined("clerk") as innocent:
        await innocent.send(s.Publish(1, OFFER, TRACKS))
        await innocent.wait(s.PublishAnswer)
        flow(running)
        for what, sdp in BAD.items():
            for endpoint in running.signaling._endpoints:
                endpoint._beginnings.clear()  # it is not the number of attempts that is to be refused
            refused = await ask(running, sdp.replace("a=sendonly", "a=recvonly") if ask is watch else sdp)
            assert (refused.status, refused.code) in ((400, "sdp_invalid"), (406, "sdp_unacceptable")), what
        assert len(running.signaling.rooms["visit"].sessions) == 1
        await innocent.works()
