"""The engine with real endpoints (DTLS, SRTP) on both sides, without sockets: forward, lose, repair, move."""

import secrets
from struct import pack

from control import messages as m
from control.ids import ParticipantId, PeerId, PipeId, PublicationId, RoomId
from sfu.machines.certificate import Certificate
from sfu.machines.dtls import DtlsEndpoint
from sfu.machines.srtp import AEAD_AES_128_GCM, SrtpReceiver, SrtpSender
from sfu.rooms.engine import Engine
from sfu.rooms.outlet import Outlet
from sfu.rooms.roster import EngineOptions
from sfu.wire import rtcp, sdp, stun

Address = tuple[str, int]
ROOM, PUBLICATION = RoomId("room"), PublicationId("camera-1")
KEYFRAME, DELTA = b"\x90\x80\x01\x10\x02\x00", b"\x90\x80\x02\x11\x02\x00"
"""VP8 payloads with 7-bit picture ids: the start of a keyframe, of another frame."""


class Wire(Outlet):
    """The outlet: remembers datagrams by destination."""

    def __init__(self) -> None:
        self.sent: dict[Address, list[bytes]] = {}

    def send(self, data: memoryview, segment: int, address: Address) -> None:
        for start in range(0, len(data), segment):
            self.sent.setdefault(address, []).append(bytes(data[start : start + segment]))

    def take(self, address: Address) -> list[bytes]:
        return self.sent.pop(address, [])


class Browser:
    """A remote endpoint: ICE checks, DTLS client, SRTP."""

    def __init__(self, rig: "Rig", address: Address) -> None:
        self.rig = rig
        self.address = address
        self.certificate = Certificate.generate()
        self.rtp: list[tuple[int, int, bytes]] = []
        self.rtcp: list[rtcp.Packet] = []

    def attributes(self, setup: str) -> str:
        return (
            f"a=ice-ufrag:theirs\r\na=ice-pwd:{'x' * 24}\r\na=fingerprint:sha-256 {self.certificate.fingerprint}\r\n"
            f"a=setup:{setup}\r\na=rtcp-mux\r\n"
        )

    def connect(self, description: str) -> None:
        section = sdp.parse(description).sections[0]
        self.ufrag, self.password = section.ufrag, section.password
        self.check(self.address)
        dtls = DtlsEndpoint(self.certificate, role="client", remote_fingerprints=section.fingerprints)
        for _ in range(8):
            for datagram in dtls.datagrams_to_send():
                self.rig.engine.receive(datagram, self.address, self.rig.now, self.rig.now)
            for datagram in self.rig.wire.take(self.address):
                if datagram[0] > 19:
                    dtls.receive(datagram)
        keys = dtls.srtp_keys
        self.sender = SrtpSender(keys.profile, keys.local_key, keys.local_salt)
        self.receiver = SrtpReceiver(keys.profile, keys.remote_key, keys.remote_salt)

    def check(self, address: Address) -> None:
        attributes = [(stun.USERNAME, f"{self.ufrag}:theirs".encode()), (stun.USE_CANDIDATE, b"")]
        request = stun.serialize(stun.BINDING_REQUEST, secrets.token_bytes(12), attributes, self.password.encode())
        self.rig.engine.receive(request, address, self.rig.now, self.rig.now)

    def send_rtp(self, index: int, timestamp: int, payload: bytes, *, marker: bool = True, ssrc: int = 1111) -> None:
        header = pack("!BBHII", 0x80, 96 | marker << 7, index & 0xFFFF, timestamp, ssrc)
        buffer = bytearray(1500)
        length = self.sender.stream(ssrc).seal_into(buffer, 0, header, payload, index)
        self.rig.engine.receive(bytes(buffer[:length]), self.address, self.rig.now, self.rig.now)

    def send_rtcp(self, packet: bytes) -> None:
        self.rig.engine.receive(self.sender.protect_rtcp(packet), self.address, self.rig.now, self.rig.now)

    def take(self) -> None:
        for datagram in self.rig.wire.take(self.address):
            if not 127 < datagram[0] < 192:
                continue
            if 63 < datagram[1] & 0x7F < 96:
                self.rtcp += rtcp.parse(self.receiver.unprotect_rtcp(datagram))
                continue
            number, ssrc = int.from_bytes(datagram[2:4], "big"), int.from_bytes(datagram[8:12], "big")
            _, payload = self.receiver.unprotect_rtp(datagram, len(datagram), ssrc, number, 12)
            self.rtp.append((datagram[1] & 0x7F, number, payload))


class Rig:
    """A room with a publisher and a subscriber."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.wire = Wire()
        options = EngineOptions(Certificate.generate(), [("192.0.2.1", 9, "udp")], secrets.token_bytes)
        self.engine = Engine(options, self.wire)
        self.do(m.OpenRoom(ROOM))
        self.publisher = Browser(self, ("192.0.2.10", 1))
        offer = (
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:0\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n"
            "a=rtcp-fb:96 nack\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n" + self.publisher.attributes("actpass")
        )
        tracks = [m.TrackOffer("0", PUBLICATION, "camera")]
        answer = self.do(m.Publish(ROOM, ParticipantId("anne"), PeerId("pub"), offer, tracks))
        assert isinstance(answer, m.SessionDescription)
        self.publisher.connect(answer.sdp)
        self.subscriber = Browser(self, ("192.0.2.20", 2))
        self.do(m.OpenSubscriber(ROOM, ParticipantId("luc"), PeerId("sub")))
        self.do(m.Subscribe(PeerId("sub"), [PUBLICATION]))
        (offered,) = [notice for notice in self.engine.notices() if isinstance(notice, m.SubscriberOffer)]
        self.ssrc = sdp.parse(offered.sdp).sections[0].ssrcs[0]
        reply = (
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:0\r\na=recvonly\r\n" + self.subscriber.attributes("active")
        )
        self.do(m.SubscriberAnswer(PeerId("sub"), offered.revision, reply))
        self.subscriber.connect(offered.sdp)
        self.tick()

    def do(self, command: m.Command) -> m.Result:
        result = self.engine.execute(command, self.now)
        assert not isinstance(result, m.Failed), result
        return result

    def tick(self, seconds: float = 0.05) -> None:
        self.engine.flush()
        self.now += seconds
        self.engine.handle_timeout(self.now, self.now)
        self.publisher.take()
        self.subscriber.take()

    def keyframe(self) -> None:
        """Publish the first packets, a keyframe second, so that everything flows."""
        self.publisher.send_rtp(100, 3000, DELTA)
        self.tick(0.6)
        self.publisher.send_rtp(101, 6000, KEYFRAME)
        self.tick()


def test_a_new_subscriber_causes_one_keyframe_request_and_starts_with_the_keyframe() -> None:
    rig = Rig()
    rig.keyframe()
    assert len([p for p in rig.publisher.rtcp if isinstance(p, rtcp.Pli)]) == 1
    assert [payload for _, _, payload in rig.subscriber.rtp] == [KEYFRAME]
    rig.publisher.send_rtp(102, 9000, DELTA)
    rig.tick()
    assert [payload for _, _, payload in rig.subscriber.rtp] == [KEYFRAME, DELTA]


def test_packets_of_a_frame_arrive_in_order_and_continuous() -> None:
    rig = Rig()
    rig.keyframe()
    for index in range(102, 130):
        rig.publisher.send_rtp(index, 9000, bytes([index]) * (1000 if index % 5 else 300))
    rig.tick()
    numbers = [number for _, number, _ in rig.subscriber.rtp]
    assert numbers == [(numbers[0] + i) & 0xFFFF for i in range(29)]
    assert [payload[0] for _, _, payload in rig.subscriber.rtp[1:]] == list(range(102, 130))


def test_a_subscriber_gets_lost_packets_again_by_rtx() -> None:
    rig = Rig()
    rig.keyframe()
    rig.publisher.send_rtp(102, 9000, b"lost one")
    rig.tick()
    _, number, _ = rig.subscriber.rtp[-1]
    rig.subscriber.send_rtcp(rtcp.Nack(1, rig.ssrc, [number]).serialize())
    rig.tick()
    payload_type, _, payload = rig.subscriber.rtp[-1]
    assert payload_type == 97
    assert payload == number.to_bytes(2, "big") + b"lost one"


def test_a_hole_is_asked_for_and_what_comes_late_is_still_forwarded() -> None:
    rig = Rig()
    rig.keyframe()
    rig.publisher.send_rtp(103, 9000, b"later")
    rig.tick()
    (nack,) = [p for p in rig.publisher.rtcp if isinstance(p, rtcp.Nack)]
    assert nack.lost == [102]
    rig.publisher.send_rtp(102, 9000, b"repaired")
    rig.tick()
    numbers = {payload: number for _, number, payload in rig.subscriber.rtp}
    assert (numbers[b"repaired"] + 1) & 0xFFFF == numbers[b"later"]


def test_a_muted_publication_is_silent_and_continues_without_a_gap() -> None:
    rig = Rig()
    rig.keyframe()
    rig.do(m.PausePublication(PUBLICATION, True))
    rig.publisher.send_rtp(102, 9000, b"secret")
    rig.tick()
    rig.do(m.PausePublication(PUBLICATION, False))
    rig.publisher.send_rtp(103, 12_000, KEYFRAME)
    rig.tick()
    assert [payload for _, _, payload in rig.subscriber.rtp] == [KEYFRAME, KEYFRAME]
    first, second = (number for _, number, _ in rig.subscriber.rtp)
    assert (first + 1) & 0xFFFF == second


def test_forged_packets_and_strangers_reach_nobody() -> None:
    rig = Rig()
    rig.keyframe()
    rig.subscriber.rtp.clear()
    for address in (rig.publisher.address, ("203.0.113.66", 666)):
        for data in (
            b"",
            b"\x80",
            bytes(40),
            pack("!BBHII", 0x80, 96, 102, 1, 1111) + bytes(40),
            b"\x16\xfe\xfd" + bytes(20),
        ):
            rig.engine.receive(data, address, rig.now, rig.now)
            rig.engine.receive(b"\x80\xc9" + data, address, rig.now, rig.now)
    rig.tick()
    assert rig.subscriber.rtp == []
    assert ("203.0.113.66", 666) not in rig.wire.sent
    rig.publisher.send_rtp(102, 9000, b"still here")
    rig.tick()
    assert [payload for _, _, payload in rig.subscriber.rtp] == [b"still here"]


def test_a_subscriber_that_changes_its_network_is_followed_and_only_by_an_authenticated_check() -> None:
    rig = Rig()
    rig.keyframe()
    rig.subscriber.address = ("198.51.100.7", 77)
    rig.publisher.send_rtp(102, 9000, b"to the old address")
    rig.tick()
    assert all(payload != b"to the old address" for _, _, payload in rig.subscriber.rtp)
    rig.subscriber.check(rig.subscriber.address)
    rig.publisher.send_rtp(103, 9000, b"to the new address")
    rig.tick()
    assert rig.subscriber.rtp[-1][2] == b"to the new address"


def test_without_consent_a_peer_ends() -> None:
    rig = Rig()
    rig.keyframe()
    rig.engine.notices()
    rig.tick(16.0)
    closed = {n.peer: n.reason for n in rig.engine.notices() if isinstance(n, m.PeerClosed)}
    assert closed == {"pub": "consent_expired", "sub": "consent_expired"}
    assert rig.engine.counts["peers"] == 0


def test_a_pipe_carries_the_publication_under_its_own_keys_with_sender_reports() -> None:
    rig = Rig()
    rig.keyframe()
    key, salt, address = bytes(range(16)), bytes(range(12)), ("127.0.0.1", 555)
    spec = m.PipeSpec(PipeId("pipe"), PUBLICATION, "vp8", 90_000, 96, 4242, key, salt)
    rig.do(m.OpenPipe(ROOM, spec, address))
    rig.tick(0.6)
    rig.publisher.send_rtp(102, 12_000, KEYFRAME)
    rig.tick(1.1)
    receiver = SrtpReceiver(AEAD_AES_128_GCM, key, salt)
    datagrams = rig.wire.take(address)
    media = [d for d in datagrams if d[1] & 0x7F == 96]
    reports = [d for d in datagrams if d[1] == rtcp.SENDER_REPORT]
    assert [receiver.unprotect_rtp(d, len(d), 4242, int.from_bytes(d[2:4], "big"), 12)[1] for d in media] == [KEYFRAME]
    assert len(rtcp.parse(receiver.unprotect_rtcp(reports[0]))) == 2
    back = SrtpSender(AEAD_AES_128_GCM, key, salt)
    nack = rtcp.Nack(4242 ^ 0xFFFFFFFF, 4242, [int.from_bytes(media[0][2:4], "big")]).serialize()
    rig.engine.receive(back.protect_rtcp(nack), address, rig.now, rig.now)
    assert rig.wire.take(address) == media


def test_a_publication_that_ends_is_told_and_its_section_is_used_again() -> None:
    rig = Rig()
    rig.keyframe()
    rig.engine.notices()
    rig.do(m.ClosePeer(PeerId("pub")))
    rig.tick()
    notices = rig.engine.notices()
    assert m.PublicationEnded(PUBLICATION) in notices
    (offer,) = [notice for notice in notices if isinstance(notice, m.SubscriberOffer)]
    assert sdp.parse(offer.sdp).sections[0].direction == "inactive"
    assert offer.tracks == []
