"""The fixtures of the fake devices: speech is heard, people can be told apart."""

from pathlib import Path

import av
import numpy as np
import pytest

from tests.rig import media


@pytest.mark.parametrize("person", media.PEOPLE, ids=lambda person: person.name.split()[0])
def test_everybody_says_something_audible(person: media.Person) -> None:
    samples = media.speech(person, silence_s=2.0)
    assert 5 < samples.size / media.RATE < 60
    assert np.abs(samples[: -2 * media.RATE].astype(np.int32)).max() > 4000
    assert not samples[-2 * media.RATE :].any()


def test_devices_are_files_that_a_browser_can_play(tmp_path: Path) -> None:
    made = media.devices(media.BENOIT, tmp_path)
    with av.open(str(made.video)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == media.LOOP_FRAMES
    assert (frames[0].width, frames[0].height) == (media.WIDTH, media.HEIGHT)
    red, green, blue = frames[0].to_ndarray(format="rgb24")[200, 600]
    assert green > 120 > max(red, blue)
    with av.open(str(made.audio)) as container:
        assert container.streams.audio[0].rate == media.RATE
    assert media.devices(media.BENOIT, tmp_path) == made
