"""The connection test's door: who may knock, how often, and what is answered when no media worker is there."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from accounts.links import JoinLink, LinkSigner
from signaling import connection_test
from signaling.connection_test import BURST, ConnectionTests
from signaling.workers import WorkerHub
from tests.signaling.house import house, media_worker

LINKS = LinkSigner(b"k" * 32)
SDP = {"Content-Type": "application/sdp"}
Client = TestClient[web.Request, web.Application]


def bearer(visit: str = "abcd-efgh-jkm") -> dict[str, str]:
    now = int(time.time())
    token = LINKS.sign(JoinLink(visit, "client", None, now - 60, now + 60, "x"))
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes([web.post("/v/{visit}/connection-test", ConnectionTests(WorkerHub("token"), LINKS).handle)])
    async with TestClient(TestServer(app)) as client:
        yield client


async def ask(client: Client, headers: dict[str, str], data: bytes = b"v=0\r\n") -> tuple[int, str]:
    response = await client.post("/v/abcd-efgh-jkm/connection-test", headers=headers, data=data)
    answer = await response.json()
    assert answer["text"].keys() == {"fr", "en"}
    return response.status, answer["code"]


async def test_only_the_link_of_this_visit_opens_it(client: Client) -> None:
    assert await ask(client, SDP) == (401, "link_invalid")
    assert await ask(client, SDP | {"Authorization": "Bearer x"}) == (401, "link_invalid")
    assert await ask(client, SDP | bearer("other-visit-abc")) == (401, "link_invalid")


async def test_what_is_no_description_is_refused(client: Client) -> None:
    assert await ask(client, bearer() | {"Content-Type": "text/plain"}) == (415, "malformed")
    assert await ask(client, bearer() | SDP, b"\xff\xfe") == (422, "sdp_invalid")


async def test_without_a_media_worker_it_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_test, "WAIT_S", 0.05)
    assert await ask(client, bearer() | SDP) == (503, "media_unavailable")


async def test_a_media_worker_that_is_just_coming_is_waited_for(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        hub = running.signaling._hub
        waiting = asyncio.create_task(hub.find("media", 30))
        await asyncio.sleep(0)
        async with media_worker(running):
            found = await waiting
    assert found is not None
    assert found.kind == "media"


async def test_more_than_a_burst_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_test, "WAIT_S", 0.0)
    answers = [await ask(client, bearer() | SDP) for _ in range(int(BURST) + 5)]
    assert answers[0] == (503, "media_unavailable")
    assert (429, "too_fast") in answers
