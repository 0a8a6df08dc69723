"""Captions without a browser: a missing model does not end a visit, a transcriber that dies is replaced."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from benchmarks.words import score
from signaling import messages as s
from tests.browser.server import running
from tests.interop.participant import Participant, Tone, Voice, entered
from tests.interop.test_aiortc import guest_link, tone_of
from tests.rig.media import AMELIE, speech

pytestmark = pytest.mark.slow


async def test_without_a_model_the_page_is_told_why_and_the_visit_goes_on(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with running(tmp_path / "data", settings={"PARVIS_TRANSCRIPTION__MODEL": str(empty)}) as server:
        async with entered(server.link, "Anne") as anne:
            (microphone,) = await anne.publish(microphone=Tone(440))
            told = await anne.wait(lambda m: isinstance(m, s.CaptionsChanged) and m.captions.problem is not None)
            assert isinstance(told, s.CaptionsChanged)
            assert told.captions == s.CaptionsInfo(False, "model_missing")
            async with entered(guest_link(server, anne), "Luc") as luc:
                assert await tone_of(await luc.track(microphone)) == pytest.approx(440, abs=15)
                assert luc.welcome is not None
                assert luc.welcome.captions_state == s.CaptionsInfo(False, "model_missing")
                await luc.publish(microphone=Tone(880))
                await anne.send(s.Chat("toujours là"))
                await luc.wait(lambda m: isinstance(m, s.ChatAdded))


async def test_a_transcriber_that_is_killed_is_replaced_and_captions_go_on(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        async with entered(server.link, AMELIE.name) as amelie:
            await amelie.publish(microphone=Voice(speech(AMELIE)))
            before = await final_caption(amelie, 0)
            os.kill(server.worker("transcribe"), signal.SIGKILL)
            gone = await amelie.wait(lambda m: isinstance(m, s.CaptionsChanged) and not m.captions.available)
            killed = amelie.messages.index(gone)
            await amelie.wait(
                lambda m: (
                    isinstance(m, s.CaptionsChanged) and m.captions.available and m not in amelie.messages[:killed]
                )
            )
            after = await final_caption(amelie, killed)
            assert after.segment != before.segment
            assert after.speaker == AMELIE.name
            last = await final_caption(amelie, amelie.messages.index(gone), after.segment)
            best = min(score([said], [last.text]).wer for _, said in AMELIE.sentences)
            assert best < 0.5, last.text


async def final_caption(person: Participant, since: int, other_than: str = "") -> s.CaptionLine:
    """Return the first final caption after so many messages."""

    def wanted(message: s.ServerMessage) -> bool:
        return (
            isinstance(message, s.CaptionAdded)
            and message.caption.final
            and message.caption.segment != other_than
            and any(message is each for each in person.messages[since:])
        )

    message = await person.wait(wanted)
    assert isinstance(message, s.CaptionAdded)
    return message.caption
