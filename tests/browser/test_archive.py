"""A recorded visit on PostgreSQL and Redis: read with its transcript, and still there after everything was killed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import APIResponse

from tests.browser.people import Person, people
from tests.browser.recording import start, stop
from tests.browser.server import running
from tests.rig.engines import postgres, redis_server
from tests.rig.media import AMELIE, devices

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANNE = "Roy, Anne"


class Reader:
    """Somebody who reads a visit's recordings with the host's link."""

    def __init__(self, person: Person, link: str) -> None:
        self._person = person
        self._address, _, self._token = link.partition("#")

    async def enter(self) -> int:
        answer = await self._person.page.request.post(f"{self._address}/enter", data={"link": self._token})
        return answer.status

    async def get(self, path: str, headers: dict[str, str] | None = None) -> APIResponse:
        return await self._person.page.request.get(f"{self._address}/recordings/{path}", headers=headers)

    async def manifest(self, recording: str, state: str, tracks: int, segments: int) -> dict[str, Any]:
        """Wait until a recording is there, with so much in it at least."""
        async with asyncio.timeout(120):
            while True:
                answer = await self.get(f"{recording}/manifest.json")
                found: dict[str, Any] = await answer.json() if answer.ok else {}
                there = [found.get(name, ()) for name in ("tracks", "segments")]
                if found.get("state") == state and len(there[0]) >= tracks and len(there[1]) >= segments:
                    return found
                await asyncio.sleep(0.5)


async def test_a_recording_is_read_with_its_transcript_also_after_parvis_was_killed(tmp_path: Path) -> None:
    arguments = devices(AMELIE, tmp_path).arguments
    with postgres() as database, redis_server() as redis:
        settings = {"PARVIS_STORAGE__DATABASE": await database.new_database(), "PARVIS_STORAGE__BUS": redis.url}
        async with people(ANNE, AMELIE.name, devices={AMELIE.name: arguments}) as (anne, amelie):
            with running(tmp_path / "data", settings=settings) as server:
                site = server.link.partition("/new/")[0]
                answer = await anne.page.request.get(server.link, max_redirects=0)
                link = answer.headers["location"]
                await anne.enter(site + link)
                invitation = await anne.invitation()
                await amelie.enter(invitation)
                await anne.sees_and_hears(AMELIE.name)
                host, guest = Reader(anne, site + link), Reader(amelie, invitation)
                assert await guest.enter() == 403
                assert await host.enter() == 204

                first = await start(anne)
                said = (await host.manifest(first, "active", 0, 2))["segments"]
                assert {segment["speaker"] for segment in said} == {AMELIE.name}
                assert all(segment["words"] and segment["start_s"] >= 0 for segment in said)
                await stop(anne)
                kept = await host.manifest(first, "stopped", 4, 2)
                assert kept["problem"] is None
                for track in kept["tracks"]:
                    answer = await host.get(f"{first}/tracks/{track['file']}")
                    assert len(await answer.body()) == track["bytes"]
                    part = await host.get(f"{first}/tracks/{track['file']}", {"Range": "bytes=0-3"})
                    assert (part.status, await part.body()) == (206, b"\x1a\x45\xdf\xa3"), "Matroska begins so"
                vtt = await (await host.get(f"{first}/transcript.vtt")).text()
                assert "NOTE Transcription automatique, non officielle" in vtt
                assert f"<v {AMELIE.name}>" in vtt

                second = await start(anne)
                await host.manifest(second, "active", 0, 1)
                server.process.kill()
                server.process.wait()

            with running(tmp_path / "data", settings=settings) as server:
                link = server.link.partition("/new/")[0] + link
                await anne.page.goto("about:blank")
                host = Reader(anne, link)
                assert await host.enter() == 204
                again = await host.manifest(first, "stopped", 4, 2)
                assert again["tracks"] == kept["tracks"]
                # What was said last may have been understood after the recording's end.
                assert again["segments"][: len(kept["segments"])] == kept["segments"]
                lost = await host.manifest(second, "stopped", 4, 1)
                assert lost["problem"] == "recorder_lost"
                assert all(track["bytes"] > 1000 for track in lost["tracks"])
                await anne.enter(link)
                await anne.page.evaluate("window.parvis.connection.send({ type: 'end_visit' })")
                await anne.page.get_by_role("heading", name="La visite est terminée").wait_for()
                assert (await host.get(f"{first}/manifest.json")).ok
                await anne.page.goto("about:blank")
                await anne.page.goto(link)
                await anne.page.get_by_label("Votre nom").fill(ANNE)
                await anne.page.get_by_role("button", name="Entrer dans la visite").click()
                await anne.page.get_by_text("La visite est terminée").first.wait_for()
