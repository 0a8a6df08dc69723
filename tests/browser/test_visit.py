"""A visit of real browsers through the real server."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.browser.people import people
from tests.browser.server import running

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANNE, LUC, ZOE = "Roy, Anne", "Gagnon, Luc", "Côté, Zoé"


async def test_three_people_see_and_hear_each_other_and_survive_the_media_worker(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        async with people(ANNE, LUC, ZOE) as (anne, luc, zoe):
            await anne.enter(server.link)
            link = await anne.invitation()
            await luc.enter(link)
            await zoe.enter(link)
            await anne.sees_and_hears(LUC, ZOE)
            await luc.sees_and_hears(ANNE, ZOE)
            await zoe.sees_and_hears(ANNE, LUC)
            assert (await anne.statistics())["cipher"] == "SRTP_AEAD_AES_128_GCM"

            os.kill(server.worker("media"), signal.SIGKILL)
            died = time.monotonic()
            await luc.until("() => window.parvis.tracks.size === 0")
            await luc.sees_and_hears(ANNE)
            print(f"back after {time.monotonic() - died:.1f} s")
            await anne.sees_and_hears(LUC, ZOE)
            assert [person.errors for person in (anne, luc, zoe)] == [[], [], []]


async def test_two_people_write_raise_a_hand_mute_share_and_leave(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        async with people(ANNE, LUC) as (anne, luc):
            await anne.enter(server.link)
            await luc.enter(await anne.invitation())
            await anne.sees_and_hears(LUC)

            await anne.page.get_by_role("button", name="Messages").click()
            await anne.page.get_by_label("Écrire à tout le monde").fill("Bonjour <b>Luc</b>")
            await anne.page.keyboard.press("Enter")
            await luc.page.get_by_role("button", name="Messages").click()
            await luc.page.get_by_role("log").get_by_text("Bonjour <b>Luc</b>").wait_for()

            await luc.page.get_by_role("button", name="Lever la main").click()
            await anne.page.locator(".label", has_text="Gagnon, Luc").filter(has_text="main levée").wait_for()

            await luc.page.keyboard.press("Control+d")
            await anne.page.locator(".label", has_text="micro coupé").wait_for()
            assert await luc.page.get_by_role("button", name="Activer le microphone").is_visible()

            await luc.page.get_by_role("button", name="Partager l'écran").click()
            await anne.page.locator(".tile.screen").wait_for()

            await luc.page.get_by_role("button", name="Quitter").click()
            await luc.page.get_by_role("heading", name="Vous avez quitté la visite").wait_for()
            await anne.page.locator(".label", has_text="Gagnon, Luc").wait_for(state="detached")
            assert (anne.errors, luc.errors) == ([], [])


async def test_a_link_that_was_altered_or_cut_lets_nobody_in(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        async with people(ANNE, LUC) as (anne, luc):
            await anne.enter(server.link)
            link = await anne.invitation()
            await luc.page.goto(link.split("#")[0])
            await luc.page.get_by_role("heading", name="Ce lien est incomplet").wait_for()
            await luc.page.goto(link[:-6] + ("AAAAAA" if not link.endswith("AAAAAA") else "BBBBBB"))
            await luc.page.get_by_role("heading", name="Ce lien n'est pas valide").wait_for()
