"""A recording from the host's button to its page: everybody sees that it runs, and what was recorded plays."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.people import Person, people
from tests.browser.server import running
from tests.browser.test_player import FAR, SPREAD
from tests.rig.media import BENOIT, CHANTAL, devices

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE_MS = 60_000


async def test_a_host_records_everybody_sees_it_and_its_page_plays(tmp_path: Path) -> None:
    arguments = {person.name: devices(person, tmp_path).arguments for person in (BENOIT, CHANTAL)}
    with running(tmp_path / "data", settings={"PARVIS_TRANSCRIPTION__ENABLED": "false"}) as server:
        async with people(BENOIT.name, CHANTAL.name, devices=arguments) as (host, guest):
            await host.enter(server.link)
            await guest.enter(await host.invitation())
            await host.sees_and_hears(CHANTAL.name)
            await guest.sees_and_hears(BENOIT.name)

            record = host.page.get_by_role("button", name="Enregistrer", exact=True)
            await record.click()
            await host.page.get_by_role("dialog").get_by_role("button", name="Enregistrer").click()
            for person in (host, guest):
                await expect(person.page.locator(".recording-mark")).to_contain_text(
                    "Enregistrement en cours depuis", timeout=PATIENCE_MS
                )
                await expect(person.page.locator("#status")).to_have_text("Enregistrement en cours")
            assert await guest.page.get_by_role("button", name="Enregistrer").count() == 0
            before = await host.page.evaluate("Date.now()")
            await host.until(f"() => Date.now() > {before} + 8000")  # the length itself is what is recorded

            await host.page.get_by_role("button", name="Arrêter l'enregistrement").click()
            await host.page.get_by_role("dialog").get_by_role("button", name="Arrêter l'enregistrement").click()
            await guest.page.locator(".recording-mark").wait_for(state="detached", timeout=PATIENCE_MS)
            view = host.page.get_by_role("link", name="Voir l'enregistrement")
            await view.wait_for(timeout=PATIENCE_MS)
            assert await guest.page.get_by_role("link", name="Voir l'enregistrement").count() == 0
            async with host.page.expect_popup() as opened:
                await view.click()
            viewer = Person("viewer", await opened.value)
            await viewer.page.locator(".play").click()
            await viewer.until("() => window.parvis.tracks.followed.size === 4 && window.parvis.clock.now() > 3")
            close = f"() => {{ const off = ({SPREAD})(); return off.length === 4 && !off.some({FAR}); }}"
            await viewer.until(close)
            assert await viewer.page.evaluate("window.parvis.tracks.failed.value.size") == 0
            assert (host.errors, guest.errors, viewer.errors) == ([], [], [])
