"""A router that forgets its mappings in the middle of a visit: real browsers answer the media worker's own check."""

import time
from pathlib import Path

import pytest

from tests.browser.people import people
from tests.browser.server import running
from tests.rig import nat

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANNE, LUC = "Roy, Anne", "Gagnon, Luc"
PEERS = """() => {
  const { publisher, subscriber } = window.parvis.media;
  const ufrag = (peer) => peer.localDescription.sdp.match(/ice-ufrag:(.*)/)[1];
  return [publisher, subscriber].map((peer) => [peer.connectionState, ufrag(peer)]);
}"""


async def test_pictures_and_voices_go_on_when_everybodys_port_changes(tmp_path: Path) -> None:
    port = nat.free_port()
    settings = {
        "PARVIS_TRANSCRIPTION__ENABLED": "false",
        "PARVIS_MEDIA__HOST": nat.BACK,
        "PARVIS_MEDIA__PORT": str(port),
        "PARVIS_MEDIA__ADVERTISED_ADDRESSES": nat.FRONT,
    }
    async with nat.translated(port) as translator:
        with running(tmp_path, settings=settings) as server:
            async with people(ANNE, LUC) as (anne, luc):
                await anne.enter(server.link)
                await luc.enter(await anne.invitation())
                await anne.sees_and_hears(LUC)
                await luc.sees_and_hears(ANNE)
                before = [await person.page.evaluate(PEERS) for person in (anne, luc)]
                for _ in range(2):
                    translator.rebind()
                    changed_at = time.monotonic()
                    await luc.sees_and_hears(ANNE)
                    await anne.sees_and_hears(LUC)
                    print(f"seen and heard again {time.monotonic() - changed_at:.1f} s after the ports changed")
                assert [await person.page.evaluate(PEERS) for person in (anne, luc)] == before
                assert (anne.errors, luc.errors) == ([], [])
