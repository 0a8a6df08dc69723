"""People with real Chromiums: each one a browser of its own with a moving picture and a sound."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]

STATISTICS = """async () => {
  const visit = window.parvis, all = {};
  for (const [publication, track] of visit?.tracks ?? []) {
    const known = visit.publications.get(publication);
    for (const each of (await visit.media.subscriber.getStats(track)).values()) {
      if (each.type === "transport") all.cipher = each.srtpCipher;
      if (each.type !== "inbound-rtp") continue;
      const name = visit.participants.get(known?.participant)?.name + " " + known?.source;
      all[name] = each.kind === "video" ? each.framesDecoded : each.totalAudioEnergy;
    }
  }
  return all;
}"""


class Person:
    """One browser in a visit."""

    def __init__(self, name: str, page: Page) -> None:
        self.name = name
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)

    async def enter(self, link: str) -> None:
        """Open a link, pass the device check, be in the room."""
        await self.page.goto(link)
        await self.page.get_by_label("Votre nom").fill(self.name)
        await self.page.get_by_role("button", name="Entrer dans la visite").click()
        await self.until("() => Boolean(window.parvis?.me)")

    async def statistics(self) -> dict[str, Any]:
        """Return frames decoded and sound energy received, by "name source", and the SRTP cipher."""
        result: dict[str, Any] = await self.page.evaluate(STATISTICS)
        return result

    async def sees_and_hears(self, *others: str) -> None:
        """Wait until the pictures of all others move and their sound is heard."""
        before = await self.statistics()
        for other in others:
            for source in ("camera", "microphone"):
                key = f"{other} {source}"
                await self.grows(key, before.get(key, 0))

    async def grows(self, key: str, least: float, within_s: float = 60) -> None:
        """Wait until one of the `statistics` is more than it was."""
        question = f"async ([key, least]) => ((await ({STATISTICS})())[key] ?? 0) > least"
        await self.until(question, [key, least], within_s)

    async def invitation(self) -> str:
        """Return the link that a host gives to others."""
        link: str = await self.page.evaluate("new URL(window.parvis.guestLink, location.href).href")
        return link

    async def until(self, question: str, argument: object = None, within_s: float = 60) -> None:
        """Ask the page again and again; its security policy forbids the waiting that evaluates text inside it."""
        async with asyncio.timeout(within_s):
            while not await self.page.evaluate(question, argument):
                await self.page.wait_for_timeout(200)


@asynccontextmanager
async def people(
    *names: str,
    devices: Mapping[str, Sequence[str]] | None = None,
    programs: Mapping[str, Path] | None = None,
) -> AsyncIterator[list[Person]]:
    """Open one browser for each name, with more arguments for those named in `devices`.

    `programs` names the executable of those who do not use plain Chromium.
    """
    chromium = shutil.which("chromium")
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        found = []
        for name in names:
            arguments = [*ARGUMENTS, *(devices or {}).get(name, ())]
            program = (programs or {}).get(name, chromium)
            browser = await playwright.chromium.launch(executable_path=program, args=arguments)
            stack.push_async_callback(browser.close)
            context = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="fr-CA")
            found.append(Person(name, await context.new_page()))
        yield found
