"""A recording with pictures, voices and words, as files that a browser plays: for the pages that show it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from storage.recordings import Recording, Track
from storage.transcripts import Segment, SegmentWord
from tests.rig.media import FRAMES_PER_S, HEIGHT, LOOP_FRAMES, PAUSE_S, RATE, WIDTH, Person, face, prompt, speech

START_AT_S = 1_795_000_000.0
OPUS_FRAME = 960


def write_picture(person: Person, path: Path, seconds: float) -> None:
    """Write a person's moving picture as VP8 in WebM."""
    faces = [av.VideoFrame.from_image(face(person, number)) for number in range(LOOP_FRAMES)]
    with av.open(str(path), "w", format="webm") as file:
        stream = file.add_stream("libvpx", rate=FRAMES_PER_S, options={"deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = FRAMES_PER_S
        for number in range(int(seconds * FRAMES_PER_S)):
            frame = faces[number % LOOP_FRAMES]
            frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_S)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def write_voice(person: Person, path: Path) -> float:
    """Write what a person says as Opus in WebM; return its length in seconds."""
    samples = speech(person)
    with av.open(str(path), "w", format="webm") as file:
        stream = file.add_stream("libopus", rate=RATE, layout="mono")
        for at in range(0, len(samples) - OPUS_FRAME, OPUS_FRAME):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + OPUS_FRAME], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return len(samples) / RATE


def words_of(said: str, start_s: float, end_s: float) -> tuple[SegmentWord, ...]:
    """Spread the words of a sentence evenly over its time (wall clock)."""
    words = said.split()
    edges = np.linspace(start_s, end_s, len(words) + 1)
    return tuple(
        SegmentWord(word, float(edges[place]), float(edges[place + 1]), 0.4 if place == 2 else 0.95)
        for place, word in enumerate(words)
    )


def make(
    folder: Path, visit: str, people: dict[Person, float], *, recording: str = "rec-1"
) -> tuple[Recording, list[Segment]]:
    """Write the files of a recording under `folder`; `people` start at these seconds. Returns its rows."""
    files = folder / recording
    files.mkdir(parents=True)
    tracks: list[Track] = []
    segments: list[Segment] = []
    for person, start_s in people.items():
        stem = person.name.split()[0].lower()
        voice, picture = f"{stem}-microphone.webm", f"{stem}-camera.webm"
        lasts_s = write_voice(person, files / voice)
        write_picture(person, files / picture, lasts_s)
        for file, source, kind, codec in (
            (voice, "microphone", "audio", "opus"),
            (picture, "camera", "video", "vp8"),
        ):
            size = (files / file).stat().st_size
            tracks.append(
                Track(file, f"{stem}-{source}", stem, person.name, source, kind, codec, start_s, lasts_s, size, True)
            )
        at_s = START_AT_S + start_s
        for number, (name, said) in enumerate(person.sentences):
            end_s = at_s + len(prompt(name)) / RATE
            segments.append(
                Segment(
                    f"{stem}-{number}", visit, 1, stem, f"{stem}-microphone", person.name, said, "fr", "base",
                    at_s, end_s, words_of(said, at_s, end_s),
                )
            )  # fmt: skip
            at_s = end_s + PAUSE_S
    duration_s = max(track.start_s + track.duration_s for track in tracks)
    return Recording(recording, visit, "stopped", START_AT_S, duration_s, None, tuple(tracks)), segments
