"""A visit of real browsers is recorded: who was seen and heard is in the files, in step, and browsers play them."""

import asyncio
import os
import signal
import time
from pathlib import Path

import av
import numpy as np
import pytest

from recordings import manifest as manifests
from recordings.manifest import Manifest
from tests.browser.people import Person, people
from tests.browser.playback import player
from tests.browser.recording import ID, STATE, start, stop
from tests.browser.server import running
from tests.browser.test_codecs import ONLY
from tests.browser.test_player import FAR, SPREAD
from tests.rig.media import AMELIE, BENOIT, CHANTAL, PEOPLE, devices
from tests.rig.presenter import marks

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SETTINGS = {"PARVIS_TRANSCRIPTION__ENABLED": "false", "PARVIS_RECORDING__MINIMUM_FREE_MB": "1"}
IN_SYNC_S = 0.040


def tracks(folder: Path) -> int:
    return len([*folder.glob("*.webm"), *folder.glob("*.mkv")])


async def files(folder: Path, count: int) -> None:
    """Wait for so many files."""
    async with asyncio.timeout(60):
        while tracks(folder) < count:  # noqa: ASYNC110 - files tell nobody that they are there
            await asyncio.sleep(0.1)


def colour(path: Path) -> tuple[np.ndarray, int]:
    """Return the colour of a recorded picture's middle, and how many different pictures there are."""
    seen, total, count = set(), np.zeros(3), 0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="rgb24")
            height, width, _ = image.shape
            total += image[height // 2 : height * 3 // 4, width // 4 : width * 3 // 4].mean(axis=(0, 1))
            seen.add(image[::8, ::8].tobytes())
            count += 1
    return total / max(1, count), len(seen)


def loudness(path: Path) -> tuple[float, float]:
    """Return the loudest 20 ms of a recorded sound (RMS, 1 is full scale), and the length that is decoded."""
    loudest, seconds = 0.0, 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray().astype(np.float64)
            loudest = max(loudest, float(np.sqrt((samples**2).mean())))
            seconds += frame.samples / frame.sample_rate
    return loudest, seconds


def check(folder: Path, kept: Manifest) -> None:
    """Every file holds the right person's moving picture or a voice, for as long as the manifest says."""
    colours = {person.name: np.array(person.colour) for person in PEOPLE}
    for track in kept.tracks:
        path = folder / track.file
        assert path.stat().st_size == track.bytes
        if track.kind == "video":
            seen, different = colour(path)
            nearest = min(colours, key=lambda name: float(np.abs(colours[name] - seen).sum()))
            assert nearest == track.name
            assert different > 5 * track.duration_s
        else:
            loudest, seconds = loudness(path)
            assert loudest > 0.02
            assert seconds == pytest.approx(track.duration_s, abs=0.1)


async def test_three_people_are_recorded_also_when_the_recorder_is_killed_and_browsers_play_it(tmp_path: Path) -> None:
    names = [AMELIE.name, BENOIT.name, CHANTAL.name]
    arguments = {person.name: devices(person, tmp_path).arguments for person in PEOPLE}
    with running(tmp_path / "data", settings=SETTINGS) as server:
        async with people(*names, devices=arguments) as (amelie, benoit, chantal):
            await amelie.enter(server.link)
            link = await amelie.invitation()
            await benoit.enter(link)
            recording = await start(amelie)
            folder = tmp_path / "data" / "recordings" / recording
            await benoit.until(STATE, "active")
            await chantal.enter(link)  # while it runs: told so at once, and recorded from here on
            await chantal.until(STATE, "active")
            await benoit.page.get_by_text("Enregistrement en cours").first.wait_for()
            await files(folder, 6)
            await asyncio.sleep(6)  # the time itself is what is recorded

            died_at_s = time.time()
            os.kill(server.worker("record"), signal.SIGKILL)
            await amelie.until(STATE, "starting")
            await amelie.until(STATE, "active")
            print(f"recording again after {time.time() - died_at_s:.1f} s")
            assert await amelie.page.evaluate(ID) == recording
            await files(folder, 12)
            await asyncio.sleep(6)
            stopped_at_s = time.time()
            await stop(amelie)
            await benoit.until(STATE, "idle")

            kept = manifests.load(folder)
            assert (kept.state, kept.problem, len(kept.tracks)) == ("stopped", None, 12)
            for number, track in enumerate(kept.tracks):
                end_at_s = died_at_s if number < 6 else stopped_at_s
                missing_s = end_at_s - kept.started_at_s - track.start_s - track.duration_s
                print(f"{track.file} {track.name}: {track.duration_s:.2f} s, {missing_s:+.2f} s missing at its end")
                assert track.complete == (number >= 6)
                assert missing_s < 1.0
            for half in (kept.tracks[:6], kept.tracks[6:]):
                assert {(track.name, track.source) for track in half} == {
                    (name, source) for name in names for source in ("camera", "microphone")
                }
            check(folder, kept)
            async with player(amelie.page.context, folder) as play:
                for track in kept.tracks:
                    played = await play(track.file)
                    assert played.duration == pytest.approx(track.duration_s, abs=0.05)
                    assert played.seekable == pytest.approx(track.duration_s, abs=0.05)
                    assert played.found == pytest.approx(played.aim, abs=0.1)
                    assert (played.width > 0) == (track.kind == "video")
            assert [person.errors for person in (amelie, benoit, chantal)] == [[], [], []]

            for person in (benoit, chantal):
                await person.page.close()
            async with amelie.page.context.expect_page() as opening:
                await amelie.page.get_by_role("link", name="Voir l'enregistrement").click()
            watching = Person(AMELIE.name, await opening.value)
            await watching.page.get_by_role("button", name="Lire", exact=True).click()
            followed = f"() => {{ const off = ({SPREAD})(); return off.length >= 4 && !off.some({FAR}); }}"
            await watching.until(followed)
            print("off by", [round(1000 * off) for off in await watching.page.evaluate(SPREAD)], "ms on the page")
            assert watching.errors == []


@pytest.mark.parametrize("codec", ["VP9", "H264", "AV1"])
async def test_what_a_browser_sends_in_other_codecs_is_recorded_and_played(tmp_path: Path, codec: str) -> None:
    with running(tmp_path / "data", settings=SETTINGS) as server:
        async with people(AMELIE.name, devices={AMELIE.name: devices(AMELIE, tmp_path).arguments}) as (amelie,):
            await amelie.page.add_init_script(ONLY % f"video/{codec}")
            await amelie.enter(server.link)
            folder = tmp_path / "data" / "recordings" / await start(amelie)
            await files(folder, 2)
            await asyncio.sleep(5)
            await stop(amelie)
            kept = manifests.load(folder)
            camera = next(track for track in kept.tracks if track.source == "camera")
            assert camera.codec == codec.lower()
            assert camera.file.endswith(".mkv" if codec == "H264" else ".webm")
            assert camera.duration_s > 4
            check(folder, kept)
            async with player(amelie.page.context, folder) as play:
                played = await play(camera.file)
            assert played.found == pytest.approx(played.aim, abs=0.1)
            assert played.width > 0


FLASHES = """(() => {
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const tracks = [];
    if (!window.studio) {
      const sound = new AudioContext({sampleRate: 48000, latencyHint: "interactive"});
      const canvas = Object.assign(document.createElement("canvas"), {width: 320, height: 240});
      const pen = canvas.getContext("2d", {alpha: false});
      const output = sound.createMediaStreamDestination();
      const beep = sound.createOscillator(), gate = sound.createGain();
      gate.gain.value = 0;
      beep.connect(gate).connect(output);
      beep.start();
      let next = Math.ceil(sound.currentTime + 1), count = 0;
      setInterval(() => {
        const now = sound.currentTime;
        while (next < now + 0.5) {
          gate.gain.setValueAtTime(0.5, next);
          gate.gain.setValueAtTime(0, next + 0.1);
          next += 1;
        }
        pen.fillStyle = now % 1 < 0.1 && now > 2 ? "#fff" : "#000";
        pen.fillRect(0, 0, 320, 240);
        pen.fillStyle = "#444";  // something moves, or the picture would not be sent
        pen.fillRect((count++ * 7) % 300, 200, 20, 20);
      }, 10);
      window.studio = {canvas, output};
    }
    if (wanted.audio) tracks.push(...window.studio.output.stream.clone().getTracks());
    if (wanted.video) tracks.push(...window.studio.canvas.captureStream(60).getTracks());
    return new MediaStream(tracks);
  };
})()"""
"""Run before the page: its camera and its microphone are a canvas that flashes and an oscillator that beeps at once."""


async def test_flashes_and_beeps_of_one_browser_are_together_in_the_files(tmp_path: Path) -> None:
    with running(tmp_path / "data", settings=SETTINGS) as server:
        async with people(AMELIE.name) as (amelie,):
            await amelie.page.add_init_script(FLASHES)
            await amelie.enter(server.link)
            await asyncio.sleep(8)  # the first sender report of a sound is sent after 5 s
            folder = tmp_path / "data" / "recordings" / await start(amelie)
            await files(folder, 2)
            await asyncio.sleep(12)
            await stop(amelie)
    tracks_kept = manifests.load(folder).tracks
    kept = {track.source: marks(folder / track.file, track.start_s) for track in tracks_kept}
    offsets = [offset for offset in kept["camera"].offsets(kept["microphone"]) if abs(offset) < 0.5]
    print("flashes later than beeps by", ", ".join(f"{offset * 1000:+.0f}" for offset in offsets), "ms")
    assert len(offsets) >= 8
    assert abs(float(np.median(offsets))) <= IN_SYNC_S
