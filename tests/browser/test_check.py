"""The device check: what it tells whoever has everything, and whoever has something that does not work."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.browser.people import people
from tests.browser.server import running

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANNE = "Roy, Anne"
PATIENCE_MS = 60_000
LINUX_FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HELP = """async ([problem, agent, touch]) => {
  const { help, recognise } = await import("/static/room/help.js");
  const { t } = await import("/static/room/text.js");
  return Object.values(help(problem, recognise(agent, touch))).map((key) => t("check_" + key));
}"""
AGENTS = {
    "Windows Edge": ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36 Edg/140.0", 0),
    "macOS Safari": ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", 0),
    "iPad": ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", 5),
    "Android Chrome": ("Mozilla/5.0 (Linux; Android 15; K) Chrome/140.0 Mobile Safari/537.36", 5),
    "Linux Firefox": (LINUX_FIREFOX, 0),
}


@asynccontextmanager
async def plain_browser(*arguments: str) -> AsyncIterator[Page]:
    """Open Chromium without devices of its own making: this machine has none."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", *arguments]
        )
        page = await browser.new_page(locale="fr-CA")
        page.set_default_timeout(PATIENCE_MS)
        yield page
        await browser.close()


async def test_the_connection_is_tried_through_the_media_worker_and_entering_does_not_wait(tmp_path: Path) -> None:
    with running(tmp_path, settings={"PARVIS_TRANSCRIPTION__ENABLED": "false"}) as server:
        async with people(ANNE) as (anne,):
            await anne.page.goto(server.link)
            good = anne.page.locator('[data-verdict="good"]')
            await expect(good).to_contain_text("La connexion est bonne.", timeout=PATIENCE_MS)
            await expect(good).to_contain_text("Aller-retour")
            await expect(anne.page.get_by_text("On vous entend bien.")).to_be_visible(timeout=PATIENCE_MS)

            await anne.page.get_by_role("button", name="Essayer le haut-parleur").click()
            await anne.page.get_by_role("button", name="Non", exact=True).click(timeout=PATIENCE_MS)
            await expect(anne.page.get_by_text("Montez le volume")).to_be_visible()

            await anne.page.reload()
            await expect(anne.page.locator('[data-verdict="running"]')).to_be_visible()
            await anne.enter(server.link)
            assert anne.errors == []


async def test_a_blocked_network_is_told_from_a_good_one(tmp_path: Path) -> None:
    # Candidates that lead nowhere are what a firewall that drops UDP looks like.
    nowhere = {"PARVIS_MEDIA__ADVERTISED_ADDRESSES": '["192.0.2.1"]', "PARVIS_TRANSCRIPTION__ENABLED": "false"}
    with running(tmp_path, settings=nowhere) as server:
        async with people(ANNE) as (anne,):
            await anne.page.goto(server.link)
            blocked = anne.page.locator('[data-verdict="blocked"]')
            await expect(blocked).to_contain_text("Le réseau bloque la vidéo.", timeout=PATIENCE_MS)
            await expect(blocked).to_contain_text("UDP")


async def test_who_has_neither_camera_nor_microphone_is_told_and_enters_all_the_same(tmp_path: Path) -> None:
    with running(tmp_path, settings={"PARVIS_TRANSCRIPTION__ENABLED": "false"}) as server:
        async with plain_browser("--use-fake-ui-for-media-stream") as page:
            await page.goto(server.link)
            await page.get_by_text("Aucune caméra trouvée").wait_for()
            await page.get_by_text("Aucun microphone trouvé").wait_for()
            await page.get_by_label("Votre nom").fill(ANNE)
            await page.get_by_role("button", name="Entrer dans la visite").click()
            await page.get_by_role("heading", name="Visite").wait_for()
            await page.get_by_role("button", name="Personnes").click()
            await expect(page.locator(".panel li")).to_contain_text("Roy, Anne")


async def test_a_refused_permission_is_explained(tmp_path: Path) -> None:
    with running(tmp_path, settings={"PARVIS_TRANSCRIPTION__ENABLED": "false"}) as server:
        async with plain_browser("--use-fake-device-for-media-stream", "--deny-permission-prompts") as page:
            await page.goto(server.link)
            await page.get_by_text("Le navigateur bloque la caméra").wait_for()
            await page.get_by_text("Cliquez sur l'icône à gauche de l'adresse").first.wait_for()


async def test_the_words_differ_by_browser_and_system(tmp_path: Path) -> None:
    with running(tmp_path, settings={"PARVIS_TRANSCRIPTION__ENABLED": "false"}) as server:
        async with plain_browser("--use-fake-device-for-media-stream") as page:
            await page.goto(server.link)
            said: dict[tuple[str, str], list[str]] = {}
            for reason in ("denied", "system", "busy", "missing", "dismissed", "insecure", "unknown"):
                for name, (agent, touch) in AGENTS.items():
                    problem = {"device": "camera", "reason": reason}
                    said[reason, name] = await page.evaluate(HELP, [problem, agent, touch])
            assert all(not text.startswith("check_") for texts in said.values() for text in texts)
            assert len({said["denied", name][1] for name in AGENTS}) == 5
            assert len({said["system", name][1] for name in AGENTS}) == 5
            assert said["busy", "Windows Edge"] != said["busy", "macOS Safari"]
