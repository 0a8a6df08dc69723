"""Every codec that Chromium can publish is seen by another Chromium, and a change of layers does not disturb it.

What would disturb it shows in the viewer's requests for keyframes: a decoder that meets pictures of the past or misses
some asks for one. Freezes are printed only; on a busy machine the publisher itself makes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.people import Person, people
from tests.browser.server import running

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANNE, LUC = "Roy, Anne", "Gagnon, Luc"
NO_CAPTIONS = {"PARVIS_TRANSCRIPTION__ENABLED": "false"}

ONLY = """(() => {
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (track, init) {
    const transceiver = add.call(this, track, init);
    if (track.kind === "video") {
      const codecs = RTCRtpSender.getCapabilities("video").codecs;
      const wanted = codecs.filter((codec) => ["%s", "video/rtx"].includes(codec.mimeType));
      transceiver.setCodecPreferences(wanted);
    }
    return transceiver;
  };
})()"""
"""Run before the page: its cameras are offered in one codec alone."""

PICTURE = """async (person) => {
  const visit = window.parvis;
  for (const [publication, track] of visit.tracks) {
    const known = visit.publications.get(publication);
    if (known?.source !== "camera" || visit.participants.get(known.participant)?.name !== person) continue;
    const all = await visit.media.subscriber.getStats(track);
    for (const each of all.values()) {
      if (each.type !== "inbound-rtp") continue;
      return {
        publication, codec: all.get(each.codecId)?.mimeType, decoded: each.framesDecoded, width: each.frameWidth ?? 0,
        dropped: each.framesDropped, freezes: each.freezeCount, frozen_s: each.totalFreezesDuration,
        keyframes: each.keyFramesDecoded, plis: each.pliCount, lost: each.packetsLost, nacks: each.nackCount,
      };
    }
  }
  return null;
}"""


async def picture(viewer: Person, of: str) -> dict[str, Any]:
    """Return what a viewer's browser says of somebody's camera."""
    found: dict[str, Any] = await viewer.page.evaluate(PICTURE, of)
    return found


async def more(viewer: Person, of: str, frames: int) -> dict[str, Any]:
    """Wait until so many more pictures of somebody were decoded."""
    before = (await picture(viewer, of) or {"decoded": 0})["decoded"]
    question = f"async ([person, least]) => ((await ({PICTURE})(person))?.decoded ?? 0) >= least"
    await viewer.until(question, [of, before + frames])
    return await picture(viewer, of)


@pytest.mark.parametrize("codec", ["video/VP8", "video/VP9", "video/H264", "video/AV1"])
async def test_a_camera_in_each_codec_is_seen(codec: str, tmp_path: Path) -> None:
    with running(tmp_path, settings=NO_CAPTIONS) as server:
        async with people(ANNE, LUC) as (anne, luc):
            await anne.page.add_init_script(ONLY % codec)
            await anne.enter(server.link)
            await luc.enter(await anne.invitation())
            await luc.until(f"async (person) => Boolean((await ({PICTURE})(person))?.decoded)", ANNE)
            before = await picture(luc, ANNE)
            after = await more(luc, ANNE, 60)
            print(codec, after)
            assert after["codec"] == codec
            assert after["plis"] - before["plis"] <= 1
            assert (anne.errors, luc.errors) == ([], [])


async def test_changes_of_layers_are_seen_as_one_picture_that_needs_no_repair(tmp_path: Path) -> None:
    select = "([publication, rid]) => window.parvis.connection.send({ type: 'select_layer', publication, rid })"
    with running(tmp_path, settings=NO_CAPTIONS) as server:
        async with people(ANNE, LUC) as (anne, luc):
            await anne.enter(server.link)
            await luc.enter(await anne.invitation())
            await luc.until(f"async (person) => Boolean((await ({PICTURE})(person))?.decoded)", ANNE)
            publication = (await picture(luc, ANNE))["publication"]
            await luc.page.evaluate(select, [publication, "q"])
            await luc.until(f"async (person) => (await ({PICTURE})(person)).width <= 320", ANNE)
            widths, before = [], await more(luc, ANNE, 15)
            for rid in ("h", "q", "h", "q", "h", "q"):
                await luc.page.evaluate(select, [publication, rid])
                last = (await picture(luc, ANNE))["width"]
                await luc.until(f"async ([person, last]) => (await ({PICTURE})(person)).width !== last", [ANNE, last])
                widths.append((await more(luc, ANNE, 30))["width"])
            after = await picture(luc, ANNE)
            print(widths, {key: (before[key], after[key]) for key in after if key not in ("publication", "codec")})
            assert len(set(widths)) == 2
            assert after["keyframes"] - before["keyframes"] >= 6
            assert (after["plis"], after["lost"]) == (before["plis"], before["lost"])
