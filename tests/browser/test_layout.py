"""Where pictures stand: 1 to 12 people and their screens, on a phone and on a desk, never over each other."""

import shutil
from collections.abc import AsyncIterator
from itertools import combinations
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Page, async_playwright

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STATIC = Path(__file__).parents[2] / "web/static"
LAYOUT = """async ([people, screens, width, height]) => {
  const { layout } = await import("/static/room/layout.js");
  const items = [
    ...Array.from({length: screens}, (_, n) => ({id: `s${n}`, screen: true, self: false})),
    ...Array.from({length: people}, (_, n) => ({id: `p${n}`, screen: false, self: n === 0})),
  ];
  const boxes = [...layout(items, width, height)];
  return Object.fromEntries(boxes.map(([id, box]) => [id, [box.x, box.y, box.width, box.height]]));
}"""
SIZES = {"phone": (390, 700), "phone on its side": (844, 260), "desk": (1280, 640), "beside a panel": (920, 640)}
Box = tuple[float, float, float, float]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    app = web.Application()
    app.add_routes([web.static("/static", STATIC)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/static/icon.svg")
        yield page
        await browser.close()
    await runner.cleanup()


def overlap(one: Box, other: Box) -> bool:
    return (
        one[0] < other[0] + other[2] - 0.5
        and other[0] < one[0] + one[2] - 0.5
        and one[1] < other[1] + other[3] - 0.5
        and other[1] < one[1] + one[3] - 0.5
    )


async def test_everybody_is_on_stage_and_nobody_covers_anybody(page: Page) -> None:
    for width, height in SIZES.values():
        for people in range(1, 13):
            for screens in (0, 1, 2):
                boxes: dict[str, Box] = await page.evaluate(LAYOUT, [people, screens, width, height])
                case = f"{people} people, {screens} screens, {width} x {height}"
                assert len(boxes) == people + screens, case
                for x, y, wide, high in boxes.values():
                    assert min(x, y) >= 0, case
                    assert x + wide <= width + 0.5, case
                    assert y + high <= height + 0.5, case
                    assert min(wide, high) > 12, case
                # Two people: one's own small picture stands over the other's, in its corner.
                if (people, screens) != (2, 0):
                    assert not any(overlap(one, other) for one, other in combinations(boxes.values(), 2)), case


async def test_pictures_are_large_and_a_shared_screen_is_larger(page: Page) -> None:
    for name, (width, height) in SIZES.items():
        for people in range(1, 13):
            boxes: dict[str, Box] = await page.evaluate(LAYOUT, [people, 0, width, height])
            if people != 2:
                used = sum(wide * high for _, _, wide, high in boxes.values()) / (width * height)
                assert used > 0.45, f"{people} people use {used:.0%} on a {name}"
            boxes = await page.evaluate(LAYOUT, [people, 1, width, height])
            # Upright, a screen is as wide as the phone; elsewhere it takes about half of the stage or more.
            _, _, wide, high = boxes["s0"]
            assert wide > 0.95 * width or wide * high > 0.45 * width * height, f"{people} people on a {name}"
