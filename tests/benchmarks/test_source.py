"""Synthetic media: sizes, pacing and keyframes as a browser would send them."""

import pytest

from benchmarks.source import Source, TransportSequence
from sfu.machines.srtp import AEAD_AES_128_GCM, SrtpReceiver, SrtpSender
from sfu.wire.payloads import vp8

KEY, SALT = bytes(16), bytes(12)
FRAME_S = 1 / 30


def source(*, paced: bool) -> Source:
    made = Source("video", "0", 1234, TransportSequence(), bitrate_bps=1_300_000, paced=paced)
    made.start(1.0)
    return made


def packets(made: Source, seconds: float) -> list[tuple[float, bytes, bool]]:
    """Return (when, decrypted payload, marker) of the RTP that is sent in this time."""
    sender, receiver = SrtpSender(AEAD_AES_128_GCM, KEY, SALT), SrtpReceiver(AEAD_AES_128_GCM, KEY, SALT)
    sent, now = [], 1.0
    while now < 1.0 + seconds:
        for data in made.due(sender, now, now):
            if 63 < data[1] & 0x7F < 96:
                continue
            header = 12 + 4 + 4 * int.from_bytes(data[14:16], "big")
            number, ssrc = int.from_bytes(data[2:4], "big"), int.from_bytes(data[8:12], "big")
            payload = receiver.unprotect_rtp(data, len(data), ssrc, number, header)[1]
            sent.append((now - 1.0, payload, bool(data[1] & 0x80)))
        now = max(now + 1e-9, made.next_at)
    return sent


def test_a_second_has_the_bitrate_asked_for() -> None:
    sent = packets(source(paced=True), 1.0)
    assert len(sent) == 150
    assert sum(len(payload) for _, payload, _ in sent) * 8 == pytest.approx(1_300_000, rel=0.01)
    assert sum(marker for _, _, marker in sent) == 30


def test_paced_frames_leave_in_bursts_of_five_milliseconds() -> None:
    first = [when for when, _, _ in packets(source(paced=True), FRAME_S - 0.001)]
    assert first == pytest.approx([0.0, 0.0, 0.005, 0.005, 0.01], abs=1e-6)


def test_frames_leave_whole_when_not_paced() -> None:
    assert [when for when, _, _ in packets(source(paced=False), FRAME_S - 0.001)] == [0.0] * 5


def test_a_keyframe_comes_first_and_then_when_wished_even_in_the_middle_of_a_frame() -> None:
    made = source(paced=True)
    sent = packets(made, FRAME_S - 0.001)
    assert [vp8.is_keyframe(payload) for _, payload, _ in sent] == [True, False, False, False, False]
    made.keyframe_wanted = True
    sender = SrtpSender(AEAD_AES_128_GCM, KEY, SALT)
    made.due(sender, 1.0 + FRAME_S - 1e-3, 1.0)  # nothing is due: the wish stays
    assert made.keyframe_wanted
    made.due(sender, 1.0 + FRAME_S + 1e-3, 1.0)
    assert not made.keyframe_wanted
