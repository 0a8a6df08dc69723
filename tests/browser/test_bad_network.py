"""A visit over a bad link: 200 kbit/s and 5 % loss between two network namespaces do not end it."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from tests.browser.people import Person, people
from tests.browser.server import running
from tests.rig import namespaces
from tests.rig.impairment import Profile
from tests.rig.media import AMELIE, BENOIT, devices

pytestmark = [
    pytest.mark.browser,
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.xdist_group("netns"),
]

BAD_S = 45
"""Longer than consent lasts (15 s) and than a lost session is kept (30 s)."""
BAD = Profile(loss=0.05, delay_ms=40, jitter_ms=10)
STATE = """() => {
  const visit = window.parvis;
  return {me: visit.me, there: [...visit.participants.values()].map((person) => person.name).sort(),
          generation: visit.media.generation};
}"""


async def heard(person: Person, other: str) -> float:
    """Return the energy of the sound that has come from somebody."""
    return float((await person.statistics()).get(f"{other} microphone", 0))


async def test_a_narrow_and_lossy_link_does_not_end_a_visit(tmp_path: Path) -> None:
    if reason := namespaces.unavailable():
        pytest.skip(reason)
    chromium = shutil.which("chromium")
    assert chromium is not None
    with (
        namespaces.link(seed=5) as link,
        running(
            tmp_path / "data",
            settings={"PARVIS_WEB__HOST": link.server.address, "PARVIS_TRANSCRIPTION__ENABLED": "false"},
            prefix=link.server.command(),
        ) as server,
    ):
        start = re.sub(r"//[^/:]+", f"//{link.server.address}", server.link)
        origin = start.split("/new/")[0]
        arguments = {
            person.name: [
                f"--unsafely-treat-insecure-origin-as-secure={origin}",
                *devices(person, tmp_path).arguments,
            ]
            for person in (AMELIE, BENOIT)
        }
        programs = {
            AMELIE.name: link.server.wrapper(chromium, tmp_path),
            BENOIT.name: link.client.wrapper(chromium, tmp_path),
        }
        async with people(AMELIE.name, BENOIT.name, devices=arguments, programs=programs) as (near, far):
            await near.enter(start)
            await far.enter(await near.invitation())
            await near.sees_and_hears(BENOIT.name)
            await far.sees_and_hears(AMELIE.name)
            before = await near.page.evaluate(STATE), await far.page.evaluate(STATE)

            link.server.limit("200kbit")
            link.client.limit("200kbit")
            link.relay.impair(down=BAD, up=BAD)
            await asyncio.sleep(BAD_S)  # the time itself is what is tested
            # People speak with pauses: within one round of the loop everybody must be heard again.
            energy = await heard(near, BENOIT.name), await heard(far, AMELIE.name)
            for person, other, least in ((near, BENOIT.name, energy[0]), (far, AMELIE.name, energy[1])):
                await person.grows(f"{other} microphone", least, within_s=40)
            assert (await near.page.evaluate(STATE), await far.page.evaluate(STATE)) == before
            tallies = link.relay.tallies()
            print("lost", {name: f"{tally.lost} of {tally.packets}" for name, tally in tallies.items()})
            assert all(tally.lost > 20 for tally in tallies.values())

            link.server.unlimit()
            link.client.unlimit()
            link.relay.impair(down=Profile(), up=Profile())
            await near.sees_and_hears(BENOIT.name)
            await far.sees_and_hears(AMELIE.name)
