"""The whole engine is given any bytes from any address in any order: it never raises, and a visit goes on."""

from __future__ import annotations

import secrets
from struct import pack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from control import messages as m
from control.ids import PeerId
from sfu.machines.dtls import OUR_PROFILES
from sfu.wire import rtcp, stun, twcc
from sfu.wire.rtp_extensions import AUDIO_LEVEL, MID, REPAIRED_RID, RID, TRANSPORT_SEQUENCE_NUMBER
from tests.fuzz.samples import fixture, mutated
from tests.sfu.rooms.rig import CAMERA, KEYFRAME, PUBLICATION, Rig

URIS = (AUDIO_LEVEL, MID, REPAIRED_RID, RID, TRANSPORT_SEQUENCE_NUMBER)
MEDIA = CAMERA + "".join(f"a=extmap:{number} {uri}\r\n" for number, uri in enumerate(URIS, 1))
SIMULCAST = MEDIA + "a=rid:q send\r\na=rid:f send\r\na=simulcast:send q;f\r\n"
STRANGER = ("203.0.113.66", 666)
ADDRESSES = st.sampled_from([("192.0.2.10", 1), ("192.0.2.20", 2), STRANGER, ("192.0.2.10", 2), ("2001:db8::1", 9)])
CAPTURED = [
    fixture(f"chromium-{name}")
    for name in ("binding-request", "client-hello-1", "client-hello-2", "client-flight", "srtp-video", "srtcp")
]
SSRCS = st.sampled_from([1111, 2222, 3333, 0, 0xFFFFFFFF])
OTHER_SSRCS = st.sampled_from([2222, 3333, 0, 0xFFFFFFFF])
"""Not that of the honest stream: a publisher that spoils its own numbers gets what it wants."""
NUMBERS = st.integers(0, 0xFFFF)
WORDS = st.integers(0, 0xFFFFFFFF)
FRACTIONS, LOST = st.integers(0, 255), st.integers(-(2**23), 2**23 - 1)
RTCP = st.one_of(
    st.builds(rtcp.Nack, SSRCS, SSRCS, st.lists(NUMBERS, max_size=200)),
    st.builds(rtcp.Pli, SSRCS, SSRCS),
    st.builds(rtcp.Goodbye, st.lists(SSRCS, max_size=31)),
    st.builds(rtcp.SenderReport, SSRCS, st.integers(0, 2**64 - 1), WORDS, WORDS, WORDS),
    st.builds(
        rtcp.ReceiverReport,
        SSRCS,
        st.lists(
            st.builds(
                rtcp.ReportBlock,
                SSRCS,
                st.integers(0, 255),
                st.integers(-(2**23), 2**23 - 1),
                WORDS,
                WORDS,
                WORDS,
                WORDS,
            ),
            max_size=31,
        ),
    ),
).map(lambda packet: packet.serialize())


def rtp_of_nobody(number: int, ssrc: int, tail: bytes) -> bytes:
    return pack("!BBHII", 0x90, 96, number, 1, ssrc) + tail


ANYTHING = (
    st.binary(max_size=1500)
    | mutated(CAPTURED)
    | st.builds(rtp_of_nobody, NUMBERS, SSRCS, st.binary(max_size=60))
    | st.builds(lambda tail: twcc.build(1, 2, 3, 1, {1: 1, 9: 2}) + tail, st.binary(max_size=40))
)
EXTENSIONS = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from([b"0", b"q", b"f", b"\0\1", b"\xff\xff", bytes(16)])), max_size=4
)


class AnyBytesInAnyOrder(RuleBasedStateMachine):
    """Strangers, and participants with good keys who say nonsense, around one honest visit."""

    media, profiles = MEDIA, OUR_PROFILES

    @initialize()
    def begin(self) -> None:
        self.rig = Rig(media=self.media, profiles=self.profiles)
        self.sent: list[tuple[bytes, Any]] = []
        self.index = 3000

    def give(self, data: bytes, address: Any) -> None:
        self.sent.append((data, address))
        self.rig.engine.receive(data, address, self.rig.now, self.rig.now)

    @rule(data=ANYTHING, address=ADDRESSES)
    def anything(self, data: bytes, address: Any) -> None:
        self.give(data, address)

    @rule(
        first=st.integers(128, 191),
        second=st.integers(0, 255),
        number=NUMBERS,
        ssrc=OTHER_SSRCS,
        body=st.binary(max_size=300),
        payload=st.binary(max_size=60),
    )
    def authentic_nonsense(self, first: int, second: int, number: int, ssrc: int, body: bytes, payload: bytes) -> None:
        """A publisher seals whatever it likes behind any header."""
        header = pack("!BBHII", first, second, number, 1, ssrc) + body
        length = 12 + 4 * (first & 15)
        if first & 16 and len(header) >= length + 4:
            length += 4 + 4 * int.from_bytes(header[length + 2 : length + 4], "big")
        header = header[:length] if len(header) >= length else header
        buffer = bytearray(4096)
        try:
            size = self.rig.publisher.sender.stream(ssrc).seal_into(buffer, 0, header, payload, number)
        except Exception:  # noqa: BLE001 - libsrtp as a sender refuses some of it
            return
        self.give(bytes(buffer[:size]), self.rig.publisher.address)

    @rule(
        number=NUMBERS,
        payload_type=st.sampled_from([96, 97, 98]),
        ssrc=OTHER_SSRCS,
        payload=st.binary(max_size=60) | mutated([KEYFRAME, b"\x0b\xb8" + KEYFRAME]),
        padded=st.booleans(),
        extensions=EXTENSIONS,
    )
    def authentic_media(self, number: int, payload_type: int, ssrc: int, payload: bytes, **more: Any) -> None:
        publisher = self.rig.publisher
        try:
            packet = publisher.sealed(number, number, payload, ssrc=ssrc, payload_type=payload_type, **more)
        except Exception:  # noqa: BLE001 - libsrtp as a sender refuses old numbers
            return
        self.give(packet, publisher.address)

    @rule(packets=st.lists(RTCP | mutated([rtcp.Pli(1, 2).serialize()]), max_size=4), publisher=st.booleans())
    def authentic_rtcp(self, packets: list[bytes], publisher: bool) -> None:
        browser = self.rig.publisher if publisher else self.rig.subscriber
        compound = b"".join(packets)
        if 8 <= len(compound) <= 1400 and compound[0] >> 6 == 2:
            self.give(browser.sender.protect_rtcp(compound), browser.address)

    @rule(data=st.data(), address=ADDRESSES)
    def replay(self, data: st.DataObject, address: Any) -> None:
        if self.sent:
            datagram, origin = data.draw(st.sampled_from(self.sent))
            self.give(datagram, data.draw(st.sampled_from([origin, address])))

    @rule(address=ADDRESSES, nominate=st.booleans(), publisher=st.booleans())
    def forged_check(self, address: Any, nominate: bool, publisher: bool) -> None:
        browser = self.rig.publisher if publisher else self.rig.subscriber
        self.give(browser.request(password="guessed", nominate=nominate), address)

    @rule(seconds=st.sampled_from([0.0, 0.02, 0.1, 0.5, 2.5]))
    def time_passes(self, seconds: float) -> None:
        self.rig.publisher.check(self.rig.publisher.address)
        self.rig.subscriber.check(self.rig.subscriber.address)
        self.rig.tick(seconds)
        self.rig.engine.notices()

    @rule()
    def commands(self) -> None:
        self.rig.engine.execute(m.SelectLayer(PeerId("sub"), PUBLICATION, secrets.choice([None, "q", "f"])), 0.0)

    @invariant()
    def nobody_strange_gets_anything(self) -> None:
        if hasattr(self, "rig"):
            assert STRANGER not in self.rig.wire.sent
            assert ("2001:db8::1", 9) not in self.rig.wire.sent

    def teardown(self) -> None:
        """The honest picture still goes through."""
        if not hasattr(self, "rig"):
            return
        rig = self.rig
        for _ in range(3):
            rig.tick(0.6)
            for browser in (rig.publisher, rig.subscriber):
                browser.check(browser.address)
            self.index += 1
            rig.publisher.give(
                rig.publisher.sealed(
                    self.index, self.index * 90, KEYFRAME + b"honest", extensions=[(2, b"0"), *self.own_layer]
                )
            )
        rig.tick()
        assert KEYFRAME + b"honest" in rig.subscriber.payloads()

    own_layer: tuple[tuple[int, bytes], ...] = ()


class WithLayers(AnyBytesInAnyOrder):
    media = SIMULCAST
    own_layer = ((4, b"f"),)


class WithHmac(AnyBytesInAnyOrder):
    profiles = (b"SRTP_AES128_CM_SHA1_80",)


@pytest.mark.parametrize("machine", [AnyBytesInAnyOrder, WithLayers, WithHmac])
def test_any_bytes_from_any_address_in_any_order_leave_a_visit_as_it_is(machine: type[AnyBytesInAnyOrder]) -> None:
    machine.TestCase.settings = settings(
        max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
    machine.TestCase("runTest").runTest()


def test_random_bytes_of_every_kind_are_taken_quickly() -> None:
    """Every first byte, many lengths, from everybody's address, with real captures among them."""
    rig = Rig()
    rig.keyframe()
    for address in (rig.publisher.address, rig.subscriber.address, STRANGER):
        for first in range(256):
            for length in (1, 2, 3, 4, 7, 8, 11, 12, 13, 19, 20, 21, 27, 28, 64, 200, 1500, 65_507):
                rig.engine.receive(bytes([first]) + secrets.token_bytes(length - 1), address, rig.now, rig.now)
        for data in CAPTURED:
            rig.engine.receive(data, address, rig.now, rig.now)
    assert stun.parse(CAPTURED[0]).message_type == stun.BINDING_REQUEST
    rig.subscriber.rtp.clear()
    rig.publisher.send_rtp(102, 9000, b"still here")
    rig.tick()
    assert b"still here" in rig.subscriber.payloads()
