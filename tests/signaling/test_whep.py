"""WHEP as HTTP: what a viewer gets, in which codec, and when there is nothing to get."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from control import messages as m
from control.ids import PublicationId
from control.tracks import Codec
from sfu.machines.negotiation import viewer_sections
from sfu.wire import sdp
from signaling import messages as s
from tests.signaling.house import Client, House, house, media_worker
from tests.signaling.offers import CHROMIUM_VIEWER, FFMPEG, crlf
from tests.signaling.test_whip import Answer, ask

AUDIO, VIDEO = CHROMIUM_VIEWER.index("m=audio"), CHROMIUM_VIEWER.index("m=video")
SOUND_ONLY = CHROMIUM_VIEWER[:VIDEO].replace("BUNDLE 0 1", "BUNDLE 0")


async def post(running: House, offer: str = CHROMIUM_VIEWER, *, role: str = "public", query: str = "") -> Answer:
    authorization = f"Bearer {running.token(role)}"
    return await ask(
        running, "POST", f"/whep/visit{query}", offer, Authorization=authorization, Content_Type="application/sdp"
    )


@asynccontextmanager
async def visit(data: Path) -> AsyncIterator[tuple[House, Client]]:
    """A house with a media worker, and somebody who has offered a microphone and a camera (Opus, H.264)."""
    async with house(data) as running, media_worker(running), running.joined("clerk") as client:
        tracks = [s.PublishedTrack("0", "microphone"), s.PublishedTrack("1", "camera")]
        await client.send(s.Publish(1, crlf(FFMPEG), tracks))
        await client.wait(s.PublishAnswer)
        yield running, client


def flows(running: House, *sources: str) -> None:
    """Let the media worker say that packets of these sources arrive."""
    room = running.signaling.rooms["visit"]
    for info in list(room.publications.values()):
        if info.source in sources:
            codec: Codec = "opus" if info.kind == "audio" else "h264"
            clock_rate = 48_000 if info.kind == "audio" else 90_000
            room.noticed(m.PublicationStarted(PublicationId(info.id), info.kind, codec, clock_rate, 1, []))


async def test_a_viewer_gets_picture_and_sound_in_its_own_numbers_and_is_shown_to_everybody(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, client):
        flows(running, "microphone", "camera")
        begun = await post(running, query="?name=Couloir")
        assert begun.status == 201
        audio, video = sdp.parse(begun.text).sections
        assert (audio.direction, video.direction) == ("sendonly", "sendonly")
        assert [payload.name for payload in audio.payloads.values()] == ["opus"]
        assert [payload.name for payload in video.payloads.values()] == ["H264", "rtx"]
        offered = sdp.parse(CHROMIUM_VIEWER).sections[1].payloads
        for number, payload in video.payloads.items():
            assert payload.name.lower() == offered[number].name.lower()
            assert payload.fmtp == offered[number].fmtp
        joined = await client.wait(s.ParticipantJoined)
        assert isinstance(joined, s.ParticipantJoined)
        assert (joined.participant.name, joined.participant.role) == ("Couloir", "public")
        assert (await ask(running, "DELETE", begun.headers["Location"])).status == 200
        await client.wait(s.ParticipantLeft)


async def test_a_viewer_that_takes_sound_only_gets_sound_only(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, _):
        flows(running, "microphone", "camera")
        begun = await post(running, SOUND_ONLY)
        assert begun.status == 201
        assert [section.direction for section in sdp.parse(begun.text).sections] == ["sendonly"]


async def test_what_is_not_there_is_no_reason_to_stay(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, client):
        for flowing, query, status, code in (
            ("", "", 409, "not_live"),
            ("microphone", "?source=screen", 409, "not_live"),
            ("", "?participant=pnobody", 404, "not_found"),
            ("", "?source=nonsense", 400, "malformed"),
        ):
            flows(running, flowing)
            refused = await post(running, query=query)
            assert (refused.status, refused.code) == (status, code)
        await client.works()
        assert not [message for message in client.messages if isinstance(message, s.ParticipantJoined)]


async def test_a_viewer_without_the_codec_that_is_sent_is_refused(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, _):
        flows(running, "camera")
        no_h264 = CHROMIUM_VIEWER.replace(" H264/90000", " x-other/90000").replace(" opus/", " x-sound/")
        refused = await post(running, no_h264)
        assert (refused.status, refused.code) == (406, "sdp_unacceptable")
        vp8 = CHROMIUM_VIEWER.replace(" H264/90000", " x-other/90000").replace("m=audio 9", "m=audio 0")
        refused = await post(running, vp8.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 1"))
        assert (refused.status, refused.code) == (406, "sdp_unacceptable")
        assert len(running.signaling.rooms["visit"].sessions) == 1


async def test_a_role_without_the_right_to_watch_is_refused(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, _):
        refused = await post(running, role="nobody we know")
        assert (refused.status, refused.code) == (403, "not_allowed")


async def test_the_session_ends_with_the_last_of_what_it_watches(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, client):
        flows(running, "microphone", "camera")
        begun = await post(running)
        await client.wait(s.ParticipantJoined)
        await client.send(s.Publish(2, crlf(FFMPEG), [s.PublishedTrack("0", "microphone")]))
        await client.wait(s.PublishAnswer)
        assert (await ask(running, "GET", begun.headers["Location"])).status == 204
        await client.send(s.Publish(3, crlf(FFMPEG), []))
        await client.wait(s.PublishAnswer)
        assert (await ask(running, "GET", begun.headers["Location"])).status == 404


async def test_a_session_of_one_kind_is_not_found_under_the_other(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, _):
        flows(running, "camera")
        begun = await post(running)
        assert (await ask(running, "DELETE", begun.headers["Location"].replace("whep", "whip"))).status == 404
        assert (await ask(running, "DELETE", begun.headers["Location"])).status == 200


@pytest.mark.parametrize("profile", ["42001f", "4d001f"])
def test_of_several_h264_profiles_the_one_that_is_sent_is_chosen(profile: str) -> None:
    _, (_, video) = viewer_sections(CHROMIUM_VIEWER)
    chosen = video.codec("h264", f"packetization-mode=1;profile-level-id={profile[:4]}0d")
    assert chosen is not None
    assert f"profile-level-id={profile}" in chosen.fmtp
    assert "packetization-mode=1" in chosen.fmtp
