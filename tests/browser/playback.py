"""Recorded files in a real Chromium: does it play them, and does it find another place in them?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from playwright.async_api import BrowserContext

PAGE = "<!doctype html><title>player</title><link rel=icon href=data:,><video id=player muted></video>"
PLAY = """async (address) => {
  const player = document.getElementById("player");
  const event = (name) => new Promise((done, failed) => {
    player.addEventListener(name, () => done(), {once: true});
    player.addEventListener("error", () => failed(new Error(player.error.message)), {once: true});
    setTimeout(() => failed(new Error(`no ${name}`)), 15000);
  });
  const loaded = event("loadedmetadata");
  player.src = address;
  await loaded;
  const duration = player.duration, seekable = player.seekable.end(0);
  const advances = async (by) => {
    const from = player.currentTime, until = performance.now() + 15000;
    while (player.currentTime < from + by) {
      if (player.error || performance.now() > until) throw new Error(`stands at ${player.currentTime}`);
      await new Promise((next) => setTimeout(next, 50));
    }
  };
  await player.play();
  await advances(0.5);
  const begun = player.currentTime;
  const seeked = event("seeked");
  const aim = player.currentTime + (duration - player.currentTime) / 2;
  player.currentTime = aim;
  await seeked;
  const found = player.currentTime;
  await player.play();
  await advances(0.3);
  player.pause();
  return {duration, seekable, begun, aim, found, width: player.videoWidth, height: player.videoHeight};
}"""


@dataclass(slots=True, frozen=True)
class Playback:
    """What a browser says of a file that it played from its start, and then from the middle of the rest. Seconds."""

    duration: float
    seekable: float
    begun: float
    aim: float
    found: float
    width: int
    height: int


@asynccontextmanager
async def player(context: BrowserContext, folder: Path) -> AsyncIterator[Callable[[str], Awaitable[Playback]]]:
    """Give a function that plays a file of a folder, by name, in a page of a browser."""
    application = web.Application()

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    application.add_routes([web.get("/", page), web.static("/files", folder)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    tab = await context.new_page()
    try:
        await tab.goto(origin)

        async def play(name: str) -> Playback:
            return Playback(**await tab.evaluate(PLAY, f"{origin}/files/{name}"))

        yield play
    finally:
        await tab.close()
        await runner.cleanup()
