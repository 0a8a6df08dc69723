"""The receiving end of a pipe: order, repair, clock."""

from struct import pack

import pytest

from control.ids import PipeId, PublicationId
from control.pipes import PipeSpec
from sfu.machines.srtp import AEAD_AES_128_GCM, SrtpReceiver, SrtpSender
from sfu.pipes.receiver import PATIENCE_S, PipeReceiver
from sfu.units import ntp_from_unix
from sfu.wire import rtcp

KEY, SALT, SSRC = bytes(range(16)), bytes(range(12)), 77
SPEC = PipeSpec(PipeId("p"), PublicationId("mic"), "opus", 48_000, 111, SSRC, KEY, SALT)
SENDER = SrtpSender(AEAD_AES_128_GCM, KEY, SALT)


def packet(index: int, timestamp: int = 0) -> bytes:
    buffer = bytearray(200)
    header = pack("!BBHII", 0x80, 111, index & 0xFFFF, timestamp & 0xFFFFFFFF, SSRC)
    return bytes(buffer[: SENDER.stream(SSRC).seal_into(buffer, 0, header, b"%d" % index, index)])


def numbers(receiver: PipeReceiver) -> list[tuple[int, int]]:
    return [(each.seq, each.lost_before) for each in receiver.packets()]


def test_packets_come_out_in_order_once() -> None:
    receiver = PipeReceiver(SPEC)
    for index in (1, 3, 2, 2, 4):
        receiver.receive_datagram(packet(index), 0.0)
    assert numbers(receiver) == [(1, 0), (2, 0), (3, 0), (4, 0)]
    assert receiver.malformed == 1


def test_a_lost_packet_is_asked_for_and_given_up_after_its_time() -> None:
    receiver = PipeReceiver(SPEC)
    receiver.receive_datagram(packet(1), 0.0)
    receiver.receive_datagram(packet(4), 0.0)
    assert numbers(receiver) == [(1, 0)]
    receiver.handle_timeout(0.02)
    (datagram,) = receiver.datagrams_to_send()
    (nack,) = rtcp.parse(SrtpReceiver(AEAD_AES_128_GCM, KEY, SALT).unprotect_rtcp(datagram))
    assert isinstance(nack, rtcp.Nack)
    assert (nack.lost, nack.ssrc) == ([2, 3], SSRC ^ 0xFFFFFFFF)
    receiver.handle_timeout(PATIENCE_S + 0.01)
    assert numbers(receiver) == [(4, 2)]


def test_sender_reports_tell_the_time_of_timestamps_over_their_wrap() -> None:
    receiver = PipeReceiver(SPEC)
    receiver.receive_datagram(packet(1, 0xFFFFFF00), 0.0)
    assert receiver.wall_time(0xFFFFFF00) is None
    report = rtcp.SenderReport(SSRC, ntp_from_unix(1_700_000_000.0), 0xFFFFFF00, 1, 1)
    receiver.receive_datagram(SENDER.protect_rtcp(report.serialize()), 0.0)
    receiver.receive_datagram(packet(2, 0xFFFFFF00 + 48_000), 0.0)
    last = receiver.packets()[-1]
    assert receiver.wall_time(last.timestamp) == pytest.approx(1_700_000_001.0, abs=1e-5)


def test_nonsense_is_counted_and_changes_nothing() -> None:
    receiver = PipeReceiver(SPEC)
    for data in (b"", bytes(50), packet(1)[:-1], b"\x80\xc8" + bytes(60)):
        receiver.receive_datagram(data, 0.0)
    assert receiver.malformed == 4
    assert receiver.packets() == []
