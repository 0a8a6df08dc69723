"""The page of a recording: every track at one time, words that play, the keyboard, and what works without a script."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from storage.recordings import Recordings
from storage.transcripts import Transcripts
from tests.browser import axe
from tests.browser.people import Person, people
from tests.rig.media import BENOIT, CHANTAL
from tests.rig.recording import make
from tests.signaling.house import House, house

pytestmark = [pytest.mark.browser, pytest.mark.slow]

VISIT = "abcd-efgh-jkm"
IN_SYNC_S = 0.04
SPREAD = """() => {
  const { clock, tracks } = window.parvis;
  const now = clock.now();
  return [...tracks.followed.values()]
    .filter(({ track }) => now > track.start_s + 0.5 && now < track.start_s + track.duration_s - 0.5)
    .map(({ track, player }) => player.currentTime + track.start_s - clock.now());
}"""
FAR = f"(each) => Math.abs(each) > {IN_SYNC_S}"
THEME = """async (theme) => (await import("/static/theme.js")).theme(theme)"""


@asynccontextmanager
async def archive(tmp_path: Path) -> AsyncIterator[tuple[House, str]]:
    """A house with a recording of two people, and the address of its page with the token that opens it."""
    async with house(tmp_path) as it:
        await it.visits.create(VISIT, title="Rencontre d'essai")
        recording, segments = make(tmp_path / "recordings", VISIT, {BENOIT: 0.5, CHANTAL: 2.25})
        await Recordings(it.database).stopped(recording)
        await Transcripts(it.database).add(segments)
        token = it.token("social_worker", VISIT)
        yield it, f"{it.url}/v/{VISIT}/recordings/{recording.id}#{token}"


async def opened(person: Person, address: str) -> Page:
    """Open the page and wait for the player."""
    await person.page.goto(address)
    await person.page.locator(".play").wait_for()  # over the reload that turns the token into a cookie
    return person.page


async def plays(person: Person, from_s: float) -> None:
    await person.until(f"() => window.parvis.clock.runs.value && window.parvis.clock.now() > {from_s}")


async def test_all_tracks_play_at_one_time_also_after_a_jump_and_at_double_speed(tmp_path: Path) -> None:
    async with archive(tmp_path) as (_, address), people("Roy, Anne") as (anne,):
        page = await opened(anne, address)
        assert "#" not in page.url
        await page.get_by_role("button", name="Lire", exact=True).click()
        await plays(anne, 4)
        close = f"() => {{ const off = ({SPREAD})(); return off.length === 4 && !off.some({FAR}); }}"
        await anne.until(close)
        await page.get_by_label("Vitesse").select_option("2")
        await anne.until(close)
        await page.get_by_label("Vitesse").select_option("1")
        await anne.until("() => (window.parvis.clock.seek(3), true)")
        await plays(anne, 3.5)
        await anne.until(close)
        print("off by", await page.evaluate(SPREAD))
        moving = "() => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames > 10"
        await anne.until(moving)
        assert anne.errors == []


async def test_a_click_on_a_word_plays_it_and_marks_it(tmp_path: Path) -> None:
    async with archive(tmp_path) as (_, address), people("Roy, Anne") as (anne,):
        page = await opened(anne, address)
        spoken = page.locator(".word", has_text="localiser")
        start = float(await spoken.get_attribute("data-start") or "nan")
        await spoken.click()
        await anne.until(f"() => window.parvis.clock.playing.value && window.parvis.clock.now() > {start} - 0.2")
        await page.get_by_role("button", name="Pause").click()
        await page.evaluate(f"window.parvis.clock.seek({start} + 0.02)")
        await expect(page.locator(".word.now")).to_have_text("localiser")
        await expect(page.locator("li.current")).to_contain_text(BENOIT.name)
        begin = page.get_by_role("button", name="Écouter à partir de 0:02")
        await begin.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("li.current")).to_contain_text(CHANTAL.name)
        assert anne.errors == []


async def test_the_keyboard_is_enough_and_axe_finds_nothing(tmp_path: Path) -> None:
    async with archive(tmp_path) as (it, address), people("Roy, Anne") as (anne,):
        await axe.install(anne.page)
        page = await opened(anne, address)
        await page.keyboard.press("k")
        await anne.until("() => window.parvis.clock.playing.value")
        await page.keyboard.press("k")
        before = await page.evaluate("window.parvis.clock.now()")
        await page.keyboard.press("l")
        assert await page.evaluate("window.parvis.clock.now()") > before + 5
        await page.keyboard.press(".")
        await expect(page.get_by_label("Vitesse")).to_have_value("1.25")
        await page.get_by_label("Position dans l'enregistrement").focus()
        await page.keyboard.press("Home")
        assert await page.evaluate("window.parvis.clock.now()") == 0
        await page.get_by_text("Touches", exact=True).click()
        for language in ("en", "fr"):
            await page.goto(f"{it.url}/language/{language}?back=/v/{VISIT}/recordings/rec-1")
            await page.locator(".play").wait_for()
            for size in ({"width": 390, "height": 844}, {"width": 1280, "height": 800}):
                await page.set_viewport_size(size)  # type: ignore[arg-type]
                for theme in ("dark", "light"):
                    await page.evaluate(THEME, theme)
                    assert await axe.violations(page) == [], (language, theme, size)
            await page.goto(f"{it.url}/v/{VISIT}/recordings")
            assert await axe.violations(page) == [], language
            await page.goto(f"{it.url}/v/{VISIT[:-1]}n/recordings")
            assert await axe.violations(page) == [], language


async def test_without_a_script_every_track_and_every_sentence_is_there(tmp_path: Path) -> None:
    async with archive(tmp_path) as (_, address), people("Roy, Anne") as (anne,):
        await opened(anne, address)  # the cookie
        context = await anne.page.context.browser.new_context(java_script_enabled=False)  # type: ignore[union-attr]
        await context.add_cookies(await anne.page.context.cookies())  # type: ignore[arg-type]
        page = await context.new_page()
        await page.goto(address)
        await expect(page.locator("video[controls]")).to_have_count(2)
        await expect(page.locator("audio[controls]")).to_have_count(2)
        for _, said in (*BENOIT.sentences, *CHANTAL.sentences):
            await page.get_by_text(said).wait_for()
        await page.get_by_text("Transcription automatique, non officielle").wait_for()
