"""A room of one media worker with real endpoints (DTLS, SRTP) on both sides, without sockets."""

from __future__ import annotations

import secrets
from struct import pack

from control import messages as m
from control.ids import ParticipantId, PeerId, PublicationId, RoomId
from sfu.machines.certificate import Certificate
from sfu.machines.dtls import OUR_PROFILES, DtlsEndpoint
from sfu.machines.srtp import SrtpReceiver, SrtpSender
from sfu.rooms.engine import Engine
from sfu.rooms.outlet import Outlet
from sfu.rooms.roster import EngineOptions
from sfu.rooms.subscriber import SEQUENCE_EXTENSION
from sfu.wire import rtcp, rtp_extensions, sdp, stun
from sfu.wire.rtp_extensions import TRANSPORT_SEQUENCE_NUMBER

Address = tuple[str, int]
ROOM, PUBLICATION = RoomId("room"), PublicationId("camera-1")
KEYFRAME, DELTA = b"\x10\x10\x02\x00", b"\x10\x11\x02\x00"
"""VP8 payloads without picture numbers: the start of a keyframe, of another frame."""
HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE "
CAMERA = (
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:0\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n"
    "a=rtcp-fb:96 nack\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
)
PASSWORD = "x" * 24
SERVER_CERTIFICATE, PUBLISHER_CERTIFICATE, SUBSCRIBER_CERTIFICATE = (Certificate.generate() for _ in range(3))


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

    def __init__(self, rig: Rig, address: Address, certificate: Certificate, profiles: tuple[bytes, ...]) -> None:
        self.rig = rig
        self.address = address
        self.certificate = certificate
        self.profiles = profiles
        self.rtp: list[tuple[int, int, bytes]] = []
        """(payload type, sequence number, payload)"""
        self.rtcp: list[rtcp.Packet] = []
        self.sequences: list[tuple[int, int]] = []
        """(transport-wide sequence number, bytes) of what arrived, if that was agreed."""

    def attributes(self, setup: str) -> str:
        return (
            f"a=ice-ufrag:theirs\r\na=ice-pwd:{PASSWORD}\r\na=fingerprint:sha-256 {self.certificate.fingerprint}\r\n"
            f"a=setup:{setup}\r\na=rtcp-mux\r\n"
        )

    def connect(self, description: str) -> None:
        self.begin(description)
        self.check(self.address)
        self.shake()

    def begin(self, description: str) -> None:
        """Read the server's description; nothing is sent yet."""
        section = sdp.parse(description).sections[0]
        self.ufrag, self.password = section.ufrag, section.password
        self.dtls = DtlsEndpoint(
            self.certificate, role="client", remote_fingerprints=section.fingerprints, profiles=self.profiles
        )

    def shake(self) -> None:
        """Do the DTLS handshake."""
        for _ in range(8):
            for datagram in self.dtls.datagrams_to_send():
                self.give(datagram)
            for datagram in self.rig.wire.take(self.address):
                if datagram[0] > 19:
                    self.dtls.receive(datagram)
        keys = self.dtls.srtp_keys
        self.sender = SrtpSender(keys.profile, keys.local_key, keys.local_salt)
        self.receiver = SrtpReceiver(keys.profile, keys.remote_key, keys.remote_salt)

    def give(self, datagram: bytes, address: Address | None = None) -> None:
        """Let a datagram arrive, from an address that need not be the browser's."""
        self.rig.engine.receive(datagram, address or self.address, self.rig.now, self.rig.now)

    def request(
        self, *, user: str | None = None, password: str | None = None, nominate: bool = True, transaction: bytes = b""
    ) -> bytes:
        """Return a Binding request, good unless told otherwise."""
        attributes = [(stun.USERNAME, (user or f"{self.ufrag}:theirs").encode()), (stun.PRIORITY, bytes(4))]
        if nominate:
            attributes.append((stun.USE_CANDIDATE, b""))
        key = (password or self.password).encode()
        return stun.serialize(stun.BINDING_REQUEST, transaction or secrets.token_bytes(12), attributes, key)

    def check(self, address: Address, *, nominate: bool = True) -> None:
        """Send a check and answer the server's own, if it has one."""
        self.give(self.request(nominate=nominate), address)
        self.answer_checks(address)

    def answer_checks(self, address: Address) -> None:
        for datagram in self.rig.wire.take(address):
            if datagram[0] > 3:
                self.rig.wire.sent.setdefault(address, []).append(datagram)
            elif (message := stun.parse(datagram)).message_type == stun.BINDING_REQUEST:
                assert message.attributes[stun.USERNAME] == f"theirs:{self.ufrag}".encode()
                assert stun.has_integrity(datagram, message, PASSWORD.encode())
                mapped = stun.xor_address(("192.0.2.1", 9), message.transaction_id)
                self.give(
                    stun.serialize(
                        stun.BINDING_SUCCESS,
                        message.transaction_id,
                        [(stun.XOR_MAPPED_ADDRESS, mapped)],
                        PASSWORD.encode(),
                    ),
                    address,
                )

    def sealed(
        self,
        index: int,
        timestamp: int,
        payload: bytes,
        *,
        marker: bool = True,
        ssrc: int = 1111,
        payload_type: int = 96,
        padded: bool = False,
        extensions: list[tuple[int, bytes]] | None = None,
    ) -> bytes:
        """Return an SRTP packet."""
        first = 0x80 | 0x20 * padded | 0x10 * bool(extensions)
        header = pack("!BBHII", first, payload_type | marker << 7, index & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
        if extensions:
            header += rtp_extensions.build(extensions)
        buffer = bytearray(4096)
        return bytes(buffer[: self.sender.stream(ssrc).seal_into(buffer, 0, header, payload, index)])

    def send_rtp(self, index: int, timestamp: int, payload: bytes, *, marker: bool = True, ssrc: int = 1111) -> None:
        self.give(self.sealed(index, timestamp, payload, marker=marker, ssrc=ssrc))

    def send_rtcp(self, packet: bytes) -> None:
        self.give(self.sender.protect_rtcp(packet))

    def take(self) -> None:
        for datagram in self.rig.wire.take(self.address):
            if not 127 < datagram[0] < 192:
                continue
            if 63 < datagram[1] & 0x7F < 96:
                self.rtcp += rtcp.parse(self.receiver.unprotect_rtcp(datagram))
                continue
            number, ssrc = int.from_bytes(datagram[2:4], "big"), int.from_bytes(datagram[8:12], "big")
            head = 12
            if datagram[0] & 0x10:
                assert datagram[12:17] == bytes([0xBE, 0xDE, 0, 1, SEQUENCE_EXTENSION << 4 | 1])
                self.sequences.append((int.from_bytes(datagram[17:19], "big"), len(datagram)))
                head = 20
            _, payload = self.receiver.unprotect_rtp(datagram, len(datagram), ssrc, number, head)
            self.rtp.append((datagram[1] & 0x7F, number, payload))

    def payloads(self) -> list[bytes]:
        """Return and forget the payloads that arrived."""
        rtp, self.rtp = self.rtp, []
        return [payload for _, _, payload in rtp]


class Rig:
    """A room with a publisher and a subscriber. `media` describes what is published, by default a camera."""

    def __init__(
        self,
        media: str = CAMERA,
        tracks: tuple[m.TrackOffer, ...] = (m.TrackOffer("0", PUBLICATION, "camera"),),
        profiles: tuple[bytes, ...] = OUR_PROFILES,
        *,
        feedback: bool = False,
    ) -> None:
        self.feedback = feedback
        """Whether receivers accept transport-wide sequence numbers."""
        self.now = 1000.0
        self.wire = Wire()
        options = EngineOptions(SERVER_CERTIFICATE, [("192.0.2.1", 9, "udp")], secrets.token_bytes)
        self.engine = Engine(options, self.wire)
        self.do(m.OpenRoom(ROOM))
        self.publisher = Browser(self, ("192.0.2.10", 1), PUBLISHER_CERTIFICATE, profiles)
        answer = self.do(
            m.Publish(ROOM, ParticipantId("anne"), PeerId("pub"), self.describe(media, "actpass"), list(tracks))
        )
        assert isinstance(answer, m.SessionDescription)
        self.publisher.connect(answer.sdp)
        publications = [track.publication for track in tracks]
        self.subscriber, offer = self.receiver("luc", "sub", ("192.0.2.20", 2), publications)
        self.ssrc = sdp.parse(offer).sections[0].ssrcs[0]
        self.subscriber.connect(offer)
        self.tick()

    def describe(self, media: str, setup: str, browser: Browser | None = None) -> str:
        """Return a description whose sections are `media`; the transport's attributes are put where they belong."""
        mids = [line[6:] for line in media.split("\r\n") if line.startswith("a=mid:")]
        sections = [f"m={section}" for section in media.split("m=")[1:]]
        attributes = (browser or self.publisher).attributes(setup)
        return HEAD + " ".join(mids) + "\r\n" + "".join(section + attributes for section in sections)

    def subscribe(self, participant: str, peer: str, publications: list[PublicationId]) -> m.SubscriberOffer:
        self.do(m.OpenSubscriber(ROOM, ParticipantId(participant), PeerId(peer)))
        self.do(m.Subscribe(PeerId(peer), publications))
        return next(n for n in self.engine.notices() if isinstance(n, m.SubscriberOffer) and n.peer == peer)

    def receiver(
        self, participant: str, peer: str, address: Address, publications: list[PublicationId] | None = None
    ) -> tuple[Browser, str]:
        """Return somebody who receives publications (by default the camera), and the offer to connect with."""
        browser = Browser(self, address, SUBSCRIBER_CERTIFICATE, self.publisher.profiles)
        offered = self.subscribe(participant, peer, publications or [PUBLICATION])
        self.answer(browser, offered)
        return browser, offered.sdp

    def answer(self, browser: Browser, offered: m.SubscriberOffer) -> None:
        media = "".join(
            f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, section.payloads))}\r\na=mid:{section.mid}\r\n"
            "a=recvonly\r\n" + f"a=extmap:{SEQUENCE_EXTENSION} {TRANSPORT_SEQUENCE_NUMBER}\r\n" * self.feedback
            for section in sdp.parse(offered.sdp).sections
        )
        self.do(m.SubscriberAnswer(offered.peer, offered.revision, self.describe(media, "active", browser)))

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

    def refused(self, reason: str) -> float:
        """Return how often something was refused for a reason."""
        return self.engine.counts[f"refused_{reason}"]
