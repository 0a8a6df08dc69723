"""Pages that everybody can use: axe finds nothing, the keyboard is enough, what happens is said."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser import axe
from tests.browser.people import Person, people
from tests.browser.server import running

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANNE, LUC = "Roy, Anne", "Gagnon, Luc"
SILENT = {"PARVIS_TRANSCRIPTION__ENABLED": "false"}
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
WORDS = {
    "fr": [
        "Votre nom",
        "Entrer dans la visite",
        "Messages",
        "Personnes",
        "Sous-titres",
        "Quitter",
        "Enregistrer",
        "Réglages",
    ],
    "en": ["Your name", "Enter the visit", "Messages", "People", "Captions", "Leave", "Record", "Settings"],
}
THEME = """async (theme) => (await import("/static/theme.js")).theme(theme)"""
CAPTION = """() => {
  const caption = {segment: "s", revision: 1, final: true, participant: "p", publication: "q", speaker: "Gagnon, Luc",
    text: "Bonjour, je vous entends bien.", stable_chars: 12, start_s: 3, end_s: 5, language: "fr"};
  window.parvis.state.receive({type: "caption_added", n: 0, caption});
}"""
FOCUS = """() => {
  const at = document.activeElement;
  const name = at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent ?? "";
  return name.replace(/\\s+/g, " ").trim();
}"""


async def check(person: Person, state: str) -> None:
    """Hold what is on screen to the rules, in both themes and both sizes."""
    for size in (PHONE, DESKTOP):
        await person.page.set_viewport_size(size)  # type: ignore[arg-type]
        for theme in ("dark", "light"):
            await person.page.evaluate(THEME, theme)
            assert await axe.violations(person.page) == [], f"{state}, {theme}, {size['width']} px"


async def focus_on(person: Person, name: str, within: int = 40) -> None:
    """Press Tab until something of this name has the focus."""
    for _ in range(within):
        await person.page.keyboard.press("Tab")
        if (await person.page.evaluate(FOCUS)).startswith(name):
            return
    raise AssertionError(f"Tab does not lead to {name!r}")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_axe_finds_nothing_in_any_page_and_state(tmp_path: Path, language: str) -> None:
    name, enter, chat, people_, captions, leave, record, settings = WORDS[language]
    with running(tmp_path, settings=SILENT) as server:
        base = server.link.split("/new/")[0]
        async with people(ANNE, LUC) as (anne, luc):
            page = anne.page
            await axe.install(page)
            await page.context.add_cookies([{"name": "language", "value": language, "url": base}])
            button = lambda text: page.get_by_role("button", name=text, exact=True)  # noqa: E731

            await page.goto(f"{base}/")
            await check(anne, "home")
            await page.get_by_role("textbox").fill("abcd-efgh-jkm")
            await page.get_by_role("textbox").press("Enter")
            await page.get_by_role("alert").wait_for()
            await check(anne, "home with a problem")
            await page.goto(f"{base}/nowhere")
            await check(anne, "error")
            await page.goto(f"{base}/v/abcd-efgh-jkm")
            await page.get_by_role("heading", level=1).wait_for()
            await check(anne, "no link")

            await page.goto(server.link)
            await page.locator('[data-verdict="good"]').wait_for()
            await check(anne, "device check")
            await page.get_by_label(name).fill(ANNE)
            await page.get_by_role("button", name=enter).click()
            await anne.until("() => Boolean(window.parvis?.me)")
            await check(anne, "alone")
            await luc.enter(await anne.invitation())
            await anne.sees_and_hears(LUC)
            await luc.page.get_by_role("button", name="Lever la main").click()
            await luc.page.get_by_role("button", name="Partager l'écran").click()
            await page.locator(".tile.screen").wait_for()
            await luc.page.get_by_role("button", name="Messages").click()
            await luc.page.get_by_label("Écrire à tout le monde").fill("Bonjour")
            await luc.page.keyboard.press("Enter")
            await page.evaluate(CAPTION)
            await check(anne, "visit")
            for panel in (people_, chat, captions):
                await page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
                await page.get_by_role("button", name=panel).click()
                await check(anne, panel)
            for question in (record, settings, leave):
                await page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
                await button(question).click()
                await page.get_by_role("dialog").wait_for()
                await check(anne, question)
                await page.keyboard.press("Escape")
            await luc.page.get_by_role("button", name="Quitter").click()
            await page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
            await button(leave).click()
            await page.get_by_role("dialog").get_by_role("button").nth(1).click()
            await page.locator(".over").wait_for()
            await check(anne, "over")
            assert luc.errors == []


async def test_the_keyboard_is_enough_to_join_mute_write_and_leave(tmp_path: Path) -> None:
    with running(tmp_path, settings=SILENT) as server:
        async with people(ANNE, LUC) as (anne, luc):
            await luc.enter(server.link)
            link = await luc.invitation()

            page, keys = anne.page, anne.page.keyboard
            await page.goto(link)
            await expect(page.get_by_label("Votre nom")).to_be_focused()
            await keys.type(ANNE)
            await focus_on(anne, "Entrer dans la visite")
            await keys.press("Enter")
            await anne.until("() => Boolean(window.parvis?.me)")
            await anne.sees_and_hears(LUC)

            await focus_on(anne, "Couper le microphone")
            await keys.press("Space")
            await luc.page.locator(".label", has_text="micro coupé").wait_for()
            await expect(page.locator("#status")).to_have_text("Microphone coupé")
            assert (await page.evaluate(FOCUS)).startswith("Activer le microphone")

            await focus_on(anne, "Messages")
            await keys.press("Enter")
            await expect(page.get_by_label("Écrire à tout le monde")).to_be_focused()
            await keys.type("Je vous entends")
            await keys.press("Enter")
            await page.get_by_role("log").get_by_text("Je vous entends").wait_for()
            await expect(luc.page.locator("#status")).to_have_text(f"Message de {ANNE} : Je vous entends")
            await keys.press("Escape")
            await expect(page.locator("#open-chat")).to_be_focused()

            # Held, V opens the microphone; in a text field it is a letter.
            await keys.down("v")
            await page.get_by_role("button", name="Couper le microphone").wait_for()
            await keys.up("v")
            await page.get_by_role("button", name="Activer le microphone").wait_for()

            await focus_on(anne, "Quitter")
            await keys.press("Enter")
            await expect(page.get_by_role("heading", name="Vous avez quitté la visite")).to_be_focused()
            await expect(luc.page.locator("#status")).to_have_text(f"{ANNE} est parti")
            assert (anne.errors, luc.errors) == ([], [])


async def test_a_host_chooses_between_leaving_and_ending_and_every_page_says_what_happened(tmp_path: Path) -> None:
    with running(tmp_path, settings=SILENT) as server:
        async with people(ANNE, LUC) as (anne, luc):
            await anne.enter(server.link)
            await luc.enter(await anne.invitation())
            await anne.sees_and_hears(LUC)
            await anne.page.get_by_role("button", name="Quitter").click()
            await anne.page.get_by_role("button", name="Annuler").click()
            await expect(anne.page.get_by_role("button", name="Quitter")).to_be_focused()
            await anne.page.get_by_role("button", name="Quitter").click()
            await anne.page.get_by_role("button", name="Terminer pour tout le monde").click()
            for person in (anne, luc):
                await expect(person.page.get_by_role("heading", name="La visite est terminée")).to_be_focused()


async def test_muting_somebody_else_and_sending_them_out_is_said_to_them(tmp_path: Path) -> None:
    with running(tmp_path, settings=SILENT) as server:
        async with people(ANNE, LUC) as (anne, luc):
            await anne.enter(server.link)
            await luc.enter(await anne.invitation())
            await anne.sees_and_hears(LUC)
            await anne.page.get_by_role("button", name="Personnes").click()
            await anne.page.get_by_role("button", name="Couper son micro").click()
            await luc.page.get_by_text("L'hôte a coupé votre microphone").first.wait_for()
            await luc.page.get_by_role("button", name="Activer le microphone").click()
            await anne.page.get_by_role("button", name="Couper son micro").wait_for()
            await anne.page.get_by_role("button", name="Faire sortir").click()
            await anne.page.get_by_role("dialog").get_by_role("button", name="Faire sortir").click()
            await luc.page.get_by_role("heading", name="On vous a fait sortir").wait_for()
