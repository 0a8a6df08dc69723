"""SRTP, DTLS and pipes: what is sealed is taken once and unaltered, and nothing else has an effect or an exception."""

import itertools
from secrets import token_bytes
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.ids import PipeId, PublicationId
from control.pipes import PipeSpec
from sfu.errors import MalformedPacketError
from sfu.machines.certificate import Certificate
from sfu.machines.dtls import DtlsEndpoint, FingerprintError
from sfu.machines.ice_lite import IceLite
from sfu.machines.srtp import AEAD_AES_128_GCM, PROFILES, Profile, SrtpReceiver, SrtpSender
from sfu.pipes.receiver import PipeReceiver
from sfu.wire import rtcp
from tests.fuzz.samples import damaged, fixture, mutated

REPORT = rtcp.SenderReport(1, 2, 3, 4, 5, [rtcp.ReportBlock(1, 2, -3, 4, 5, 6, 7)]).serialize()
KEY_MATERIAL = bytes(range(64))


def ends(profile: Profile) -> tuple[SrtpSender, SrtpReceiver]:
    key, salt = KEY_MATERIAL[: profile.key_bytes], KEY_MATERIAL[: profile.salt_bytes]
    return SrtpSender(profile, key, salt), SrtpReceiver(profile, key, salt)


def sealed(sender: SrtpSender, index: int, payload: bytes, ssrc: int = 7) -> bytes:
    buffer = bytearray(2048)
    header = pack("!BBHII", 0x80, 96, index & 0xFFFF, 1234, ssrc)
    return bytes(buffer[: sender.stream(ssrc).seal_into(buffer, 0, header, payload, index)])


def open_rtp(receiver: SrtpReceiver, data: bytes, header_length: int = 12) -> bytes | None:
    ssrc, number = int.from_bytes(data[8:12], "big"), int.from_bytes(data[2:4], "big")
    try:
        return receiver.unprotect_rtp(data, len(data), ssrc, number, header_length)[1]
    except MalformedPacketError:
        return None


def open_rtcp(receiver: SrtpReceiver, data: bytes) -> bytes | None:
    try:
        return receiver.unprotect_rtcp(data)
    except MalformedPacketError:
        return None


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
@given(data=st.binary(max_size=200), header_length=st.integers(12, 5000))
def test_srtp_of_nobody(profile: Profile, data: bytes, header_length: int) -> None:
    _, receiver = ends(profile)
    assert open_rtp(receiver, data, header_length) is None
    assert open_rtcp(receiver, data) is None


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_srtp_cut_at_every_byte_and_with_every_bit_flipped_is_refused_and_the_good_one_taken(profile: Profile) -> None:
    sender, receiver = ends(profile)
    packet, report = sealed(sender, 5, b"payload"), sender.protect_rtcp(REPORT)
    for data in damaged(packet):
        assert open_rtp(receiver, data) is None
    for data in damaged(report):
        assert open_rtcp(receiver, data) is None
    assert open_rtp(receiver, packet) == b"payload"
    assert open_rtcp(receiver, report) == REPORT
    assert len(receiver._windows) == len(receiver._rtcp_windows) == 1


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
@given(order=st.lists(st.integers(0, 2200), min_size=1, max_size=80))
def test_srtp_in_any_order_is_taken_once_each_unless_too_old(profile: Profile, order: list[int]) -> None:
    """Two SSRCs with the same numbers; the indices lie around a wrap of the sequence number."""
    _, receiver = ends(profile)
    base = 64_500
    taken: dict[int, set[int]] = {1: set(), 2: set()}
    for number, ssrc in itertools.product([0, *order], (1, 2)):
        index = base + number
        sender, _ = ends(profile)
        if not profile.is_gcm and index >= 65_536:
            continue  # libsrtp as a sender counts by itself and cannot be told to begin there
        before = taken[ssrc]
        newest = max(before, default=index)
        opened = open_rtp(receiver, sealed(sender, index, b"x", ssrc))
        assert (opened is not None) == (index not in before and newest - index < 1024), (index, newest)
        if opened is not None:
            before.add(index)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_contexts_of_one_peer_are_bounded(profile: Profile) -> None:
    sender, receiver = ends(profile)
    for ssrc in range(1, 1000):
        open_rtp(receiver, sealed(sender, 1, b"x", ssrc))
        open_rtcp(receiver, sender.protect_rtcp(rtcp.ReceiverReport(ssrc).serialize()))
    assert len(receiver._windows) == len(receiver._rtcp_windows) == 64
    assert open_rtp(receiver, sealed(sender, 2, b"known", 3)) == b"known"


# --- DTLS ------------------------------------------------------------------------------------------------------------

OURS, THEIRS = Certificate.generate(), Certificate.generate()
HELLO = [fixture("chromium-client-hello-1"), fixture("chromium-client-hello-2")]


def server() -> DtlsEndpoint:
    return DtlsEndpoint(OURS, remote_fingerprints=[("sha-256", THEIRS.fingerprint)])


def feed(endpoint: DtlsEndpoint, data: bytes) -> None:
    try:
        endpoint.receive(data)
    except (MalformedPacketError, FingerprintError):
        pass


@given(st.lists(st.binary(max_size=100) | mutated([*HELLO, fixture("chromium-client-flight")]), max_size=6))
@settings(deadline=None)
def test_dtls(datagrams: list[bytes]) -> None:
    endpoint = server()
    for data in datagrams:
        feed(endpoint, data)
        assert all(len(out) <= 1200 for out in endpoint.datagrams_to_send())
    assert not endpoint.connected


def record(kind: int, body: bytes, epoch: int = 0, number: int = 0) -> bytes:
    head = bytes([kind]) + b"\xfe\xfd" + epoch.to_bytes(2, "big") + number.to_bytes(6, "big")
    return head + pack("!H", len(body)) + body


def handshake(kind: int, length: int, at: int, body: bytes) -> bytes:
    size = len(body).to_bytes(3, "big")
    return bytes([kind]) + length.to_bytes(3, "big") + b"\0\0" + at.to_bytes(3, "big") + size + body


RECORDS = st.builds(
    record,
    st.sampled_from([20, 21, 22, 22, 22, 23]),
    st.binary(max_size=60)
    | st.builds(
        handshake,
        st.sampled_from([0, 1, 2, 11, 12, 14, 16, 20]),
        st.integers(0, 2**24 - 1),
        st.integers(0, 2000),
        st.binary(max_size=40),
    ),
    st.sampled_from([0, 0, 0, 1]),
    st.integers(0, 200),
)


@given(st.lists(RECORDS, max_size=8), st.lists(RECORDS, max_size=8))
@settings(deadline=None, max_examples=50)
def test_dtls_records_of_any_kind_before_and_within_a_handshake_do_not_prevent_it(
    before: list[bytes], within: list[bytes]
) -> None:
    """What a stranger who forges the address can send without knowing anything."""
    ours = server()
    theirs = DtlsEndpoint(THEIRS, role="client", remote_fingerprints=[("sha-256", OURS.fingerprint)])
    for data in before:
        feed(ours, data)
    ours.datagrams_to_send()
    for _ in range(6):
        for datagram in theirs.datagrams_to_send():
            ours.receive(datagram)
        for datagram in ours.datagrams_to_send():
            theirs.receive(datagram)
        for data in within if ours.connected else []:
            feed(ours, data)
    assert ours.connected
    assert not ours.closed


@given(st.binary(max_size=200) | mutated([fixture("chromium-binding-request")]), st.integers(0, 65_535))
def test_ice(data: bytes, port: int) -> None:
    ice = IceLite("5e40bff2ebe3a04ab6458e86", "another password than that of the capture", token_bytes)
    assert ice.receive(data, ("192.0.2.1", port), 0.0) is None


# --- pipes -----------------------------------------------------------------------------------------------------------

SPEC = PipeSpec(PipeId("pipe"), PublicationId("p"), "vp8", 90_000, 96, 4242, bytes(range(16)), bytes(range(12)))


@given(
    st.lists(
        st.tuples(st.integers(0, 200_000), st.integers(0, 2**32 - 1), st.sampled_from([0x80, 0xA0, 0x90, 0x81]),
                  st.integers(0, 255), st.binary(max_size=40)),
        max_size=40,
    ),
    st.lists(st.binary(max_size=80), max_size=5),
)  # fmt: skip
def test_a_pipe_gives_out_in_order_whatever_a_publisher_put_into_its_packets(
    packets: list[tuple[int, int, int, int, bytes]], noise: list[bytes]
) -> None:
    sender = SrtpSender(AEAD_AES_128_GCM, SPEC.key, SPEC.salt)
    receiver = PipeReceiver(SPEC)
    buffer = bytearray(2048)
    now, out = 10.0, []
    for index, timestamp, first, second, payload in packets:
        header = pack("!BBHII", first, second, index & 0xFFFF, timestamp, SPEC.ssrc)
        length = sender.stream(SPEC.ssrc).seal_into(buffer, 0, header, payload, index)
        receiver.receive_datagram(bytes(buffer[:length]), now)
        for data in noise:
            assert not receiver.receive_datagram(data, now)
        now += 0.05
        receiver.handle_timeout(now)
        out += receiver.packets()
        assert all(len(datagram) < 1200 for datagram in receiver.datagrams_to_send())
    sequence = [packet.seq for packet in out]
    assert sequence == sorted(set(sequence))


def test_a_publisher_that_jumps_in_its_numbers_costs_a_pipe_no_time() -> None:
    """Each packet is as far ahead as can be: a receiver that walked through the holes would walk for minutes."""
    sender = SrtpSender(AEAD_AES_128_GCM, SPEC.key, SPEC.salt)
    receiver = PipeReceiver(SPEC)
    buffer = bytearray(2048)
    for step in range(2000):
        index = step * 32_000
        header = pack("!BBHII", 0x80, 96, index & 0xFFFF, step, SPEC.ssrc)
        length = sender.stream(SPEC.ssrc).seal_into(buffer, 0, header, b"x", index)
        receiver.receive_datagram(bytes(buffer[:length]), 10 + step / 2500)
        if step % 50 == 0:
            receiver.handle_timeout(10 + step / 2500)
    receiver.handle_timeout(20.0)
    assert len(receiver._asked) <= 1024
