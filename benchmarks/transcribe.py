"""`parvis bench transcribe`: word error rate, work and latency of live captions, on real Québec French speech.

The prompts run as Opus through the very streams and the scheduler of the transcriber. Time is counted, not waited for:
sound arrives when it would, each pass takes as long as this machine needs for it, and the clock jumps over the time in
which nothing would happen. So a figure for one hour of speech needs no hour.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from benchmarks import speech
from benchmarks.speech import Prompt
from configs.settings import load
from control import messages as m
from control.captions import Caption
from control.ids import ParticipantId, PipeId, PublicationId, RoomId
from control.pipes import PipeSpec
from sfu.pipes.receiver import PipePacket
from transcription.engine import Engine
from transcription.scheduler import Scheduler
from transcription.stream import Stream
from transcription.vad import VoiceDetector, open_session

DESCRIPTION = "word error rate, work and latency of live captions"
PAUSE_S = 1.5
QUICK = 60
QUICK_LONGEST_S = 4.0
END_SLACK_S = 0.7
"""A caption belongs to the prompt in which its middle lies, give or take this."""


@dataclass(slots=True, frozen=True)
class Spoken:
    """A prompt on its speaker's clock: `begin_s` and `end_s` of the voice, `until_s` of the sound."""

    speaker: int
    text: str
    begin_s: float
    end_s: float
    until_s: float


@dataclass(slots=True, frozen=True)
class Shown:
    """A caption and when it was there."""

    caption: Caption
    at_s: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--speakers", type=int, default=1, help="people who speak at the same time")
    parser.add_argument("--prompts", type=int, help="so many of the prompts instead of all 219")
    parser.add_argument("--finals-only", action="store_true", help="no partial captions; --quick implies it")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure; return the result."""
    from benchmarks import words  # its libraries are those of the tests

    try:
        chosen = _chosen(arguments)
    except FileNotFoundError as error:
        raise SystemExit(f"parvis: the prompts are not installed: apt-get install {speech.PACKAGES}") from error
    settings = load()
    engine = Engine.load(settings.transcription, (settings.data / "models").absolute())
    spoken, tracks = _speak(chosen, arguments.speakers)
    partials = not (arguments.quick or arguments.finals_only)
    run_of = _Run(engine, tracks, partials=partials)
    run_of.go()
    heard, firsts, lasts = [], [], []
    for each in spoken:
        mine = [shown for shown in run_of.shown if _belongs(shown.caption, each)]
        finals = [shown for shown in mine if shown.caption.final and shown.caption.text]
        heard.append(" ".join(shown.caption.text for shown in finals))
        if finals:
            firsts.append(min(shown.at_s for shown in mine if shown.caption.text) - each.begin_s)
            lasts.append(finals[-1].at_s - each.end_s)
    score = words.score([each.text for each in spoken], heard)
    seconds = sum(each.until_s - each.begin_s for each in spoken)
    first, last = _percentiles(firsts), _percentiles(lasts)
    return {
        "wer": round(score.wer, 4),
        "rtf": round(run_of.decoding_s / seconds, 3),
        "latency_p50_s": last[0],
        "latency_p95_s": last[1],
        "first_shown_p50_s": first[0],
        "first_shown_p95_s": first[1],
        "first_word_missing": round(score.first_word_missing, 4),
        "errors": {"substituted": score.substituted, "deleted": score.deleted, "inserted": score.inserted},
        "words": score.words,
        "prompts": len(spoken),
        "without_caption": sum(not text for text in heard),
        "gaps": run_of.scheduler.gaps,
        "passes": run_of.passes,
        "partials": partials,
        "speech_s": round(seconds, 1),
        "speakers": arguments.speakers,
        "model": engine.name,
        "suppressed": dict(engine.suppressed),
        "latencies_s": [round(each, 2) for each in sorted(lasts)],
    }


def _chosen(arguments: argparse.Namespace) -> list[tuple[Prompt, speech.Samples]]:
    """Return the prompts with their sound, spread evenly over the alphabet; the quick ones are short."""
    found = [(prompt, prompt.samples()) for prompt in speech.prompts()]
    if arguments.quick:
        found = [each for each in found if len(each[1]) <= QUICK_LONGEST_S * speech.RATE]
    wanted = arguments.prompts or (QUICK if arguments.quick else len(found))
    wanted = min(wanted, len(found))
    return [found[number * len(found) // wanted] for number in range(wanted)]


def _speak(chosen: list[tuple[Prompt, speech.Samples]], speakers: int) -> tuple[list[Spoken], list[list[PipePacket]]]:
    """Deal the prompts out; return what is said when, and each speaker's packets."""
    spoken: list[Spoken] = []
    tracks: list[list[PipePacket]] = []
    pause = np.zeros(int(PAUSE_S * speech.RATE), np.int16)
    for speaker in range(speakers):
        parts, at_s = [pause], PAUSE_S
        for prompt, samples in chosen[speaker::speakers]:
            begin_s, end_s = speech.voiced(samples)
            until_s = at_s + len(samples) / speech.RATE
            spoken.append(Spoken(speaker, prompt.text, at_s + begin_s, at_s + end_s, until_s))
            parts += [samples, pause]
            at_s = until_s + PAUSE_S
        tracks.append(speech.opus(np.concatenate(parts)))
    return spoken, tracks


class _Run:
    """The transcriber's streams and scheduler on a clock that jumps."""

    def __init__(self, engine: Engine, tracks: list[list[PipePacket]], *, partials: bool) -> None:
        self.scheduler = Scheduler(partials=partials)
        self.shown: list[Shown] = []
        self.decoding_s = 0.0
        self.passes = {"partial": 0, "final": 0}
        self._engine = engine
        self._now_s = 0.0
        voice = open_session()
        arrivals = []
        for number, packets in enumerate(tracks):
            name = str(number)
            spec = PipeSpec(PipeId(name), PublicationId(name), "opus", 48_000, 111, 1, bytes(16), bytes(12))
            job = m.StartCaptions(RoomId("bench"), ParticipantId(name), name, spec, "fr")
            stream = self.scheduler.streams[name] = Stream(job, VoiceDetector(voice), self.scheduler.finish)
            stream.wall_time = lambda timestamp: timestamp / speech.RATE
            arrivals += [((packet.timestamp + speech.FRAME) / speech.RATE, stream, packet) for packet in packets]
        self._arrivals = sorted(arrivals, key=lambda arrival: arrival[0], reverse=True)

    def go(self) -> None:
        """Run to the end."""
        while True:
            self._receive()
            work = self.scheduler.next()
            if work is not None:
                started = time.perf_counter()
                words = self._engine.transcribe(work.samples, "fr", [], timed=work.final, thorough=work.thorough)
                took_s = time.perf_counter() - started
                self._now_s += took_s
                self.decoding_s += took_s
                self.passes["final" if work.final else "partial"] += 1
                self._receive()  # what came meanwhile
                self.scheduler.done(work, words, took_s, self._engine.name)
            self.shown += [Shown(caption, self._now_s) for caption in self.scheduler.captions()]
            if work is None:
                if not self._arrivals:
                    return
                self._now_s = max(self._now_s, self._arrivals[-1][0])

    def _receive(self) -> None:
        """Hand over every packet that is there by now; the work of that counts as well."""
        started = time.perf_counter()
        while self._arrivals and self._arrivals[-1][0] <= self._now_s:
            _, stream, packet = self._arrivals.pop()
            stream.packets([packet])
        self._now_s += time.perf_counter() - started


def _belongs(caption: Caption, spoken: Spoken) -> bool:
    middle_s = (caption.start_at_s + caption.end_at_s) / 2
    return (
        caption.participant == str(spoken.speaker)
        and spoken.begin_s - END_SLACK_S < middle_s < spoken.until_s + END_SLACK_S
    )


def _percentiles(values: list[float]) -> tuple[float | None, float | None]:
    if len(values) < 2:
        return None, None
    return round(median(values), 2), round(quantiles(values, n=20)[-1], 2)


def plot(result: dict[str, Any], path: Path) -> None:
    """Draw how long after the last word the final captions came."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    values = result["latencies_s"]
    figure, axes = pyplot.subplots(figsize=(6, 4))
    axes.step(values, [100 * (n + 1) / len(values) for n in range(len(values))], where="post", color="#1f5fa8")
    axes.set_xlabel("seconds from the last word to the final caption")
    axes.set_ylabel("share of captions, %")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 100)
    axes.set_title(f"{result['model']}, {result['speakers']} speaker(s): {100 * result['wer']:.1f} % word error rate")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
