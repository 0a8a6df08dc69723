"""Players that nobody here wrote watch a visit by WHEP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from signaling import messages as s
from tests.browser.people import people
from tests.browser.server import running
from tests.interop import encoder
from tests.interop.http_peer import endpoint, http_peer
from tests.interop.participant import Colour, Tone, entered
from tests.interop.test_aiortc import NO_CAPTIONS, colour_of, guest_link, tone_of
from tests.interop.test_whip import ffmpeg, live
from tests.signaling.offers import CHROMIUM_VIEWER

PLAY = """async ([url, token]) => {
  const connection = new RTCPeerConnection();
  window.connection = connection;
  const player = document.body.appendChild(document.createElement("video"));
  player.autoplay = true;
  player.srcObject = new MediaStream();
  connection.addEventListener("track", ({ track }) => player.srcObject.addTrack(track));
  connection.addTransceiver("audio", { direction: "recvonly" });
  connection.addTransceiver("video", { direction: "recvonly" });
  await connection.setLocalDescription();
  const response = await fetch(url, {
    method: "POST",
    headers: { Authorization: "Bearer " + token, "Content-Type": "application/sdp" },
    body: connection.localDescription.sdp,
  });
  const text = await response.text();
  if (response.status !== 201) throw new Error(text);
  window.resource = new URL(response.headers.get("Location"), url).href;
  await connection.setRemoteDescription({ type: "answer", sdp: text });
}"""

RESTART = """async () => {
  const connection = window.connection;
  const of = (sdp, name) => sdp.match(new RegExp(`a=${name}:(.*)`))[1].trim();
  const before = connection.localDescription.sdp;
  await connection.setLocalDescription(await connection.createOffer({ iceRestart: true }));
  const offer = connection.localDescription.sdp;
  if (of(offer, "ice-ufrag") === of(before, "ice-ufrag")) throw new Error("no restart");
  const response = await fetch(window.resource, {
    method: "PATCH",
    headers: { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*" },
    body: ["ice-ufrag", "ice-pwd"].map((name) => `a=${name}:${of(offer, name)}\\r\\n`).join(""),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(text);
  let answer = connection.remoteDescription.sdp;
  for (const name of ["ice-ufrag", "ice-pwd"]) {
    answer = answer.replace(new RegExp(`a=${name}:.*`, "g"), `a=${name}:${of(text, name)}`);
  }
  await connection.setRemoteDescription({ type: "answer", sdp: answer });
  return of(text, "ice-ufrag");
}"""
"""Restart ICE as RFC 9725 section 4.3.3 says; return the server's new ufrag."""

SELECTED = """async () => {
  for (const each of (await window.connection.getStats()).values())
    if (each.type === "transport") return each.iceRole && each.selectedCandidatePairChanges;
}"""

DELAY = """async (began) => {
  const player = document.querySelector("video");
  const canvas = new OffscreenCanvas(640, 360);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const delays = [];
  while (delays.length < 60) {
    await new Promise((resolve) => player.requestVideoFrameCallback(resolve));
    context.drawImage(player, 0, 0);
    const now = Date.now();
    const row = context.getImageData(0, 20, 640, 1).data;
    let width = 0;
    while (width < 640 && row[4 * width] > 128) width += 1;
    const frame = ((now - began) * 30) / 1000;
    delays.push((((frame - width) % 640) * 1000) / 30);
  }
  return delays.sort((a, b) => a - b);
}"""
"""How old each of the pictures of `encoder` is when it is shown, in ms."""

RECEIVED = """async () => {
  const found = {};
  const all = await window.connection.getStats();
  for (const each of all.values()) {
    if (each.type !== "inbound-rtp") continue;
    found[each.kind] = each.kind === "video" ? each.framesDecoded : each.totalAudioEnergy;
    found[each.kind + " codec"] = all.get(each.codecId)?.mimeType;
  }
  return found;
}"""

GROWN = f"async ([kind, least]) => ((await ({RECEIVED})())[kind] ?? 0) > least"


@pytest.mark.slow
async def test_aiortc_watches_the_participant_who_shows_a_picture(tmp_path: Path) -> None:
    with running(tmp_path, settings=NO_CAPTIONS) as server:
        async with entered(server.link, "Anne") as anne, entered(guest_link(server, anne), "Luc") as luc:
            await anne.publish(microphone=Tone(440), camera=Colour(200, 30, 30))
            await luc.wait(lambda m: isinstance(m, s.PublicationChanged) and m.publication.live)
            await luc.publish(microphone=Tone(880), camera=Colour(30, 30, 200))
            for source in ("microphone", "camera"):
                await anne.wait(live(anne, "Luc", source))
            assert anne.welcome is not None
            link = guest_link(server, anne)
            async with (
                http_peer("whep", link, name="Grand écran") as latest,
                http_peer("whep", link, participant=anne.welcome.participant) as chosen,
            ):
                joined = await anne.wait(
                    lambda m: isinstance(m, s.ParticipantJoined) and m.participant.name == "Grand écran"
                )
                assert isinstance(joined, s.ParticipantJoined)
                red, green, blue = await colour_of(latest.track("video"))
                assert blue > 150 > max(red, green)
                red, green, blue = await colour_of(chosen.track("video"))
                assert red > 150 > max(green, blue)
                assert await tone_of(latest.track("audio")) == pytest.approx(880, abs=15)
                assert await tone_of(chosen.track("audio")) == pytest.approx(440, abs=15)
                assert await latest.end() == 200
                left = await anne.wait(lambda m: isinstance(m, s.ParticipantLeft))
                assert isinstance(left, s.ParticipantLeft)
                assert left.participant == joined.participant.id


@pytest.mark.slow
async def test_a_player_is_told_to_come_back_while_nothing_is_shown(tmp_path: Path) -> None:
    with running(tmp_path, settings=NO_CAPTIONS) as server:
        async with entered(server.link, "Anne") as anne, aiohttp.ClientSession() as http:
            url, token = endpoint(guest_link(server, anne), "whep")
            offer = CHROMIUM_VIEWER
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
            async with http.post(url, data=offer, headers=headers) as response:
                assert (response.status, (await response.json(content_type=None))["code"]) == (409, "not_live")
                assert response.headers["Retry-After"]


@pytest.mark.browser
@pytest.mark.parametrize("publisher", ["FFmpeg", "aiortc"])
async def test_chromium_plays_by_whep_from_a_page_of_another_origin(
    tmp_path: Path, publisher: str, record_property: Callable[[str, object], None]
) -> None:
    with running(tmp_path, settings=NO_CAPTIONS) as server:
        async with entered(server.link, "Anne") as anne, people("Salle") as (screen,):
            link = guest_link(server, anne)
            source = (
                ffmpeg(link, 60, name="Source")
                if publisher == "FFmpeg"
                else http_peer("whip", link, Tone(440), Colour(*encoder.COLOUR), name="Source")
            )
            async with source as publishing:
                await anne.wait(live(anne, "Source", "camera"))
                await screen.page.evaluate(PLAY, list(endpoint(link, "whep")))
                await screen.until(GROWN, ["video", 30])
                await screen.until(GROWN, ["audio", 0])
                received = await screen.page.evaluate(RECEIVED)
                assert received["audio codec"] == "audio/opus"
                assert received["video codec"] == ("video/H264" if publisher == "FFmpeg" else "video/VP8")
                await screen.until(GROWN, ["video", received["video"]])
                if isinstance(publishing, asyncio.subprocess.Process):
                    assert publishing.stdout is not None
                    began = float(await publishing.stdout.readline())
                    delays = await screen.page.evaluate(DELAY, began * 1000)
                    record_property(
                        "delay from FFmpeg to the screen, median and worst of 60 pictures (ms)",
                        f"{delays[30]:.0f}, {delays[-1]:.0f}",
                    )
                    assert delays[30] < 1000
                assert screen.errors == []
            # What it watched is gone: so is its session, and the connection closes.
            await screen.until("async () => (await fetch(window.resource)).status === 404")
            await screen.until("() => window.connection.connectionState !== 'connected'")


@pytest.mark.browser
@pytest.mark.parametrize("profile", ["baseline", "high"])
async def test_chromium_sees_and_hears_ffmpeg_in_the_room_and_by_whep(tmp_path: Path, profile: str) -> None:
    with running(tmp_path, settings=NO_CAPTIONS) as server:
        async with people("Anne Roy", "Salle") as (anne, screen):
            await anne.enter(server.link)
            link = await anne.invitation()
            async with ffmpeg(link, 60, profile=profile, name="Encodeur"):
                await anne.grows("Encodeur camera", 30)
                await anne.grows("Encodeur microphone", 0)
                before = (await anne.statistics())["Encodeur camera"]
                await anne.grows("Encodeur camera", before)
                await screen.page.evaluate(PLAY, list(endpoint(link, "whep")))
                await screen.until(GROWN, ["video", 30])
                changes = await screen.page.evaluate(SELECTED)
                assert len(await screen.page.evaluate(RESTART)) == 24
                await screen.until(f"async (before) => (await ({SELECTED})()) > before", changes)
                received = await screen.page.evaluate(RECEIVED)
                await screen.until(GROWN, ["video", received["video"] + 30])
            assert (anne.errors, screen.errors) == ([], [])
