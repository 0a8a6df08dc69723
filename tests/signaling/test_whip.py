"""WHIP as HTTP: who may begin, what is accepted, what is refused and how, and how a session ends (RFC 9725)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sfu.wire import ice_fragment
from signaling import messages as s
from tests.signaling.house import Client, House, house, media_worker
from tests.signaling.offers import FFMPEG, crlf

OFFER = crlf(FFMPEG)
VIDEO = OFFER[OFFER.index("m=video") :]
FRAGMENT = crlf(
    "a=ice-ufrag:15a4a42c\na=ice-pwd:7cdcf6e25587bbda3af448169101227a\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\n"
    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag 15a4a42c network-id 1\n"
    "a=end-of-candidates\n"
)


class Answer:
    """One HTTP response, read."""

    def __init__(self, response: aiohttp.ClientResponse, text: str) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = text

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["Content-Type"].startswith("application/problem+json")
        found: dict[str, Any] = json.loads(self.text)
        assert found["status"] == self.status
        assert found["detail"]
        return found

    @property
    def code(self) -> str:
        return str(self.problem["code"])


async def ask(running: House, method: str, path: str, body: str | bytes | None = None, **headers: str) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with running.http.request(method, running.url + path, data=body, headers=given) as response:
        return Answer(response, await response.text())


async def post(
    running: House, offer: str | bytes = OFFER, *, token: str | None = None, query: str = "", **headers: str
) -> Answer:
    authorization = f"Bearer {running.token() if token is None else token}"
    given = {"Authorization": authorization, "Content_Type": "application/sdp"} | headers
    return await ask(running, "POST", f"/whip/visit{query}", offer, **given)


@asynccontextmanager
async def visit(data: Path) -> AsyncIterator[tuple[House, Client]]:
    """A house with a media worker, and somebody in the visit."""
    async with house(data) as running, media_worker(running), running.joined("clerk") as client:
        yield running, client


async def test_an_encoder_is_shown_with_what_it_publishes_until_it_deletes_its_session(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, client):
        begun = await post(running, query="?name=Salle%203")
        assert begun.status == 201
        assert begun.headers["Content-Type"] == "application/sdp"
        assert begun.headers["ETag"].startswith('"')
        assert "a=ice-lite" in begun.text
        assert begun.text.count("a=recvonly") == 2
        assert begun.text.count("a=setup:active") == 2, "FFmpeg offers to be the DTLS server"
        joined = await client.wait(s.ParticipantJoined)
        assert isinstance(joined, s.ParticipantJoined)
        assert (joined.participant.name, joined.participant.connected) == ("Salle 3", True)
        added = [await client.wait(s.PublicationAdded) for _ in range(2)]
        assert [a.publication.source for a in added if isinstance(a, s.PublicationAdded)] == ["microphone", "camera"]

        resource = begun.headers["Location"]
        assert len(resource.rsplit("/", 1)[1]) == 32
        assert (await ask(running, "GET", resource)).status == 204
        assert (await ask(running, "DELETE", resource)).status == 200
        left = await client.wait(s.ParticipantLeft)
        assert isinstance(left, s.ParticipantLeft)
        assert left.participant == joined.participant.id
        again = await ask(running, "DELETE", resource)
        assert (again.status, again.code) == (404, "not_found")


async def test_a_screen_is_published_as_one(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, client):
        assert (await post(running, query="?source=screen")).status == 201
        added = [await client.wait(s.PublicationAdded) for _ in range(2)]
        assert [a.publication.source for a in added if isinstance(a, s.PublicationAdded)] == ["screen_audio", "screen"]


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ("", 401, "unauthorized"),
        ("nonsense", 401, "link_invalid"),
        ("expired", 401, "link_expired"),
        ("of another visit", 401, "link_invalid"),
        ("of an observer", 403, "not_allowed"),
    ],
)
async def test_whoever_may_not_publish_is_refused(tmp_path: Path, token: str, status: int, code: str) -> None:
    async with house(tmp_path) as running:
        tokens = {
            "expired": running.token(expires_in_s=-1),
            "of another visit": running.token(visit="other"),
            "of an observer": running.token("observer"),
        }
        refused = await post(running, token=tokens.get(token, token))
        assert (refused.status, refused.code) == (status, code)
        assert ("WWW-Authenticate" in refused.headers) == (status == 401)
        assert not running.signaling.rooms


@pytest.mark.parametrize(
    ("offer", "status", "code"),
    [
        ("", 400, "sdp_invalid"),
        ("v=0", 400, "sdp_invalid"),
        ("{}", 400, "sdp_invalid"),
        (OFFER[:700], 400, "sdp_invalid"),
        (OFFER.replace("a=mid:0", "a=mid:1"), 400, "sdp_invalid"),
        (OFFER.replace("BUNDLE 0 1", "BUNDLE 0 1 2") + VIDEO.replace("a=mid:1", "a=mid:2"), 406, "sdp_unacceptable"),
        (OFFER.replace("opus/48000/2", "PCMU/8000"), 406, "sdp_unacceptable"),
        (OFFER.replace("H264", "H265"), 406, "sdp_unacceptable"),
        (OFFER.replace("a=sendonly", "a=recvonly"), 406, "sdp_unacceptable"),
        (OFFER.replace("a=sendonly", "a=inactive"), 406, "sdp_unacceptable"),
        (OFFER.replace("sha-256 ", "sha-1 "), 400, "sdp_invalid"),
        (OFFER.replace("a=setup:passive", "a=setup:holdconn"), 400, "sdp_invalid"),
        (OFFER.replace("m=video", "m=audio", 1), 406, "sdp_unacceptable"),
        (OFFER.encode().replace(b"FFmpegPublishSession", b"\xff\xfe"), 400, "malformed"),
        (OFFER + "a=x:" + "y" * 70_000, 413, "too_large"),
    ],
)
async def test_an_offer_that_cannot_be_taken_is_refused_and_nobody_in_the_room_sees_it(
    tmp_path: Path, offer: str | bytes, status: int, code: str
) -> None:
    async with visit(tmp_path) as (running, client):
        refused = await post(running, offer)
        assert (refused.status, refused.code) == (status, code)
        await client.works()
        assert not [m for m in client.messages if isinstance(m, s.ParticipantJoined | s.PublicationAdded)]
        assert (await post(running)).status == 201


async def test_errors_speak_the_language_of_the_reader(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        french = await post(running, token="nonsense")
        english = await post(running, token="nonsense", Accept_Language="en-CA,en;q=0.9,fr;q=0.5")
        assert french.problem["detail"] == "Ce lien n'est pas valide."
        assert english.problem["detail"] == "This link is not valid."
        assert (french.headers["Content-Language"], english.headers["Content-Language"]) == ("fr", "en")


async def test_other_types_and_encodings_of_content_are_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        for headers in ({"Content_Type": "text/plain"}, {"Content_Encoding": "gzip"}):
            refused = await post(running, **headers)
            assert (refused.status, refused.code) == (415, "media_type")


async def test_an_endpoint_says_what_it_takes_to_any_origin(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        asked = await ask(running, "OPTIONS", "/whip/visit", Origin="https://elsewhere.example")
        assert asked.status == 200
        assert asked.headers["Accept-Post"] == "application/sdp"
        assert asked.headers["Access-Control-Allow-Origin"] == "*"
        assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
        assert (await ask(running, "GET", "/whip/visit")).status == 204
        for method in ("PUT", "DELETE", "PATCH"):
            refused = await ask(running, method, "/whip/visit")
            assert (refused.status, refused.code) == (405, "method")
            assert "POST" in refused.headers["Allow"]
            assert refused.headers["Access-Control-Allow-Origin"] == "*"


async def test_trickled_candidates_of_the_session_are_taken_and_others_are_not(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, _):
        begun = await post(running)
        resource, tag = begun.headers["Location"], begun.headers["ETag"]
        kind = {"Content_Type": "application/trickle-ice-sdpfrag"}

        async def patch(body: str, **headers: str) -> tuple[int, str]:
            answer = await ask(running, "PATCH", resource, body, **kind | headers)
            return answer.status, answer.code if answer.status >= 400 else ""

        assert await patch(FRAGMENT, If_Match=tag) == (204, "")
        assert await patch(FRAGMENT) == (428, "precondition_required")
        assert await patch(FRAGMENT, If_Match='"other"') == (412, "precondition_failed")
        assert await patch(FRAGMENT, If_Match=tag, Content_Type="application/sdp") == (415, "media_type")
        assert await patch(FRAGMENT.replace("15a4a42c", "0ther000"), If_Match=tag) == (422, "ice_mismatch")
        assert await patch(FRAGMENT.replace("a=mid:0", "a=mid:9"), If_Match=tag) == (422, "ice_mismatch")
        for nonsense in ("", "v=0\r\n" + FRAGMENT, "a=candidate:1\r\n", FRAGMENT.replace("udp 2122260223", "udp x")):
            assert await patch(nonsense, If_Match=tag) == (400, "malformed")
        assert await patch(FRAGMENT + "a=x:" + "y" * 20_000, If_Match=tag) == (413, "too_large")
        assert (await ask(running, "GET", resource)).status == 204


async def test_ice_restarts_with_new_credentials_on_both_sides_and_another_tag(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, _):
        begun = await post(running)
        resource, kind = begun.headers["Location"], {"Content_Type": "application/trickle-ice-sdpfrag"}
        restart = crlf("a=ice-ufrag:ysXw\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\n")
        refused = await ask(running, "PATCH", resource, restart, If_Match=begun.headers["ETag"], **kind)
        assert (refused.status, refused.code) == (422, "ice_mismatch")
        seen = {begun.headers["ETag"]}
        for ufrag in ("ysXw", "another1"):
            done = await ask(running, "PATCH", resource, restart.replace("ysXw", ufrag), If_Match="*", **kind)
            assert (done.status, done.headers["Content-Type"]) == (200, "application/trickle-ice-sdpfrag")
            made = ice_fragment.parse(done.text)
            assert made.ufrag not in begun.text
            assert done.headers["ETag"] not in seen
            seen.add(done.headers["ETag"])
        stale = await ask(running, "PATCH", resource, FRAGMENT, If_Match=begun.headers["ETag"], **kind)
        assert (stale.status, stale.code) == (412, "precondition_failed")
        late = FRAGMENT.replace("15a4a42c", "another1")
        taken = await ask(running, "PATCH", resource, late, If_Match=done.headers["ETag"], **kind)
        assert (taken.status, "ETag" in taken.headers) == (204, False)


async def test_beginning_again_and_again_is_slowed_down(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        answers = [await post(running, "nonsense") for _ in range(25)]
        assert answers[0].code == "sdp_invalid"
        assert (answers[-1].status, answers[-1].code) == (429, "too_fast")
        assert int(answers[-1].headers["Retry-After"]) > 0


async def test_without_a_media_worker_the_encoder_is_told_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signaling.media.WAIT_S", 0.1)
    async with house(tmp_path) as running:
        refused = await post(running)
        assert (refused.status, refused.code) == (503, "media_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        assert not running.signaling.rooms["visit"].sessions


async def test_a_lost_media_worker_ends_the_session(tmp_path: Path) -> None:
    async with house(tmp_path) as running, running.joined() as client:
        async with media_worker(running):
            begun = await post(running)
            assert begun.status == 201
        left = await client.wait(s.ParticipantLeft)
        assert isinstance(left, s.ParticipantLeft)
        assert left.reason == "lost"
        assert (await ask(running, "DELETE", begun.headers["Location"])).status == 404


async def test_the_end_of_the_visit_ends_the_session_and_lets_no_other_begin(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, client):
        begun = await post(running)
        await client.send(s.EndVisit())
        await client.ended()
        assert (await ask(running, "GET", begun.headers["Location"])).status == 404
        refused = await post(running)
        assert (refused.status, refused.code) == (410, "visit_ended")


async def test_a_host_mutes_an_encoder_and_sends_it_out(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, client):
        begun = await post(running)
        added = await client.wait(s.PublicationAdded)
        assert isinstance(added, s.PublicationAdded)
        await client.send(s.SetMuted(added.publication.id, True))
        changed = await client.wait(s.PublicationChanged)
        assert isinstance(changed, s.PublicationChanged)
        assert changed.publication.muted
        await client.send(s.RemoveParticipant(added.publication.participant))
        left = await client.wait(s.ParticipantLeft)
        assert isinstance(left, s.ParticipantLeft)
        assert left.reason == "removed"
        assert (await ask(running, "GET", begun.headers["Location"])).status == 404


async def test_the_secret_of_a_browser_session_is_no_way_to_a_resource(tmp_path: Path) -> None:
    async with visit(tmp_path) as (running, client):
        welcome = client.messages[0]
        assert isinstance(welcome, s.Welcome)
        for name in (welcome.session, "A" * 32):
            assert (await ask(running, "DELETE", f"/whip/visit/{name}")).status == 404
        await client.works()
