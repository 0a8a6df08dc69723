"""A light WebRTC endpoint for measuring: ICE, DTLS and SRTP on the cores of `sfu`, without a socket of its own.

It counts what it receives and decrypts only a sample of it, so that a few dozen cost little beside the server that is
measured. Bytes and `now` (monotonic seconds) in, bytes out.
"""

from __future__ import annotations

import secrets
from typing import Literal

from benchmarks.descriptions import TRANSPORT_SEQUENCE_ID, RemoteDescription
from sfu.congestion.feedback import ArrivalRecorder
from sfu.errors import MalformedPacketError
from sfu.machines.certificate import Certificate
from sfu.machines.dtls import OUR_PROFILES, DtlsEndpoint
from sfu.machines.srtp import SrtpReceiver, SrtpSender
from sfu.serial import unwrap
from sfu.streams.receive import ReceiveStatistics
from sfu.units import Address, ntp_middle
from sfu.wire import rtcp, stun, twcc

CHECK_INTERVAL_S = 0.05
CONSENT_INTERVAL_S = 2.5
REPORT_INTERVAL_S = 1.0
FEEDBACK_INTERVAL_S = 0.05
"""Transport-wide feedback, as often as Chromium sends it at more than 220 kbit/s."""
SEQUENCE_HEAD = bytes([0xBE, 0xDE, 0, 1, TRANSPORT_SEQUENCE_ID << 4 | 1])
"""A header extension with nothing but the transport-wide sequence number, as our media worker sends it."""
ALWAYS_VERIFIED = 50
"""The first packets of a stream are all authenticated."""
VERIFY_EVERY = 100
"""Of the later ones, one of so many is."""


class Stream:
    """What was received of one SSRC, and how much of it was authenticated."""

    __slots__ = ("refused", "ssrc", "statistics", "verified")

    def __init__(self, ssrc: int, sequence_number: int) -> None:
        self.ssrc = ssrc
        self.statistics = ReceiveStatistics(0)
        """Counted by hand, packet by packet: jitter is not measured here."""
        self.statistics.first = sequence_number
        self.statistics.highest = sequence_number - 1
        self.verified = 0
        self.refused = 0
        """Sampled packets that did not authenticate."""


class Endpoint:
    """One side of a peer connection: controlling in ICE, DTLS client, or DTLS server where the other side insists.

    After every input, take `datagrams_to_send`. Media is sent by the caller through `sender`.
    """

    def __init__(self, certificate: Certificate, *, profiles: tuple[bytes, ...] = OUR_PROFILES) -> None:
        self.ufrag = secrets.token_hex(4)
        self.password = secrets.token_hex(12)
        self.certificate = certificate
        self.sender: SrtpSender | None = None
        self.address: Address | None = None
        """Where the server is; media goes there once `sender` exists."""
        self.streams: dict[int, Stream] = {}
        self._arrivals = ArrivalRecorder(FEEDBACK_INTERVAL_S)
        self._feedback_count = 0
        self.profile: str | None = None
        self.keyframe_wanted = False
        self.failed: str | None = None
        self.malformed = 0
        self._profiles = profiles
        self._receiver: SrtpReceiver | None = None
        self._remote: RemoteDescription | None = None
        self._dtls: DtlsEndpoint | None = None
        self._role: Literal["client", "server"] = "client"
        self._out: list[bytes] = []
        self._nominated = False
        self._transaction = b""
        self._check_at = 0.0
        self._report_at = 0.0
        self._ssrc = int.from_bytes(secrets.token_bytes(4), "big")

    @property
    def connected(self) -> bool:
        """Whether media may flow."""
        return self.sender is not None

    def connect(self, remote: RemoteDescription, now: float) -> None:
        """Begin (again: no effect) with what the server's description says."""
        if self._remote is not None:
            return
        self._remote = remote
        self.address = remote.address
        self._role = "server" if remote.setup == "active" else "client"
        self.handle_timeout(now)

    # --- receiving ------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> None:
        """Take one datagram of the server."""
        first = data[0] if data else 255
        try:
            if 127 < first < 192:
                if 63 < data[1] & 0x7F < 96:
                    self._receive_rtcp(data, now)
                else:
                    self._receive_rtp(data, now)
            elif first < 4:
                self._receive_stun(data, now)
            elif 19 < first < 64 and self._dtls is not None:
                self._dtls.receive(data)
                self._flush_dtls()
        except (MalformedPacketError, IndexError):
            self.malformed += 1

    def _receive_rtp(self, data: bytes, now: float) -> None:
        receiver = self._receiver
        if receiver is None or len(data) < 28:
            return
        ssrc = int.from_bytes(data[8:12], "big")
        sequence_number = data[2] << 8 | data[3]
        stream = self.streams.get(ssrc)
        if stream is None:
            stream = self.streams[ssrc] = Stream(ssrc, sequence_number)
        statistics = stream.statistics
        index = unwrap(sequence_number, statistics.highest, 16)
        if index > statistics.highest:
            statistics.highest = index
        statistics.received += 1
        statistics.bytes += len(data)
        if data[12:17] == SEQUENCE_HEAD:
            self._arrivals.received(data[17] << 8 | data[18], now)
        if statistics.received > ALWAYS_VERIFIED and statistics.received % VERIFY_EVERY:
            return
        header = 12 + ((data[0] & 15) << 2)
        if data[0] & 0x10:
            header += 4 + (int.from_bytes(data[header + 2 : header + 4], "big") << 2)
        try:
            receiver.unprotect_rtp(data, len(data), ssrc, sequence_number, header)
            stream.verified += 1
        except MalformedPacketError:
            stream.refused += 1

    def _receive_rtcp(self, data: bytes, now: float) -> None:
        if self._receiver is None:
            return
        for packet in rtcp.parse(self._receiver.unprotect_rtcp(data)):
            if isinstance(packet, rtcp.Pli | rtcp.Fir):
                self.keyframe_wanted = True
            elif isinstance(packet, rtcp.SenderReport) and (stream := self.streams.get(packet.ssrc)) is not None:
                stream.statistics.sender_report(ntp_middle(packet.ntp_time), now)

    def _receive_stun(self, data: bytes, now: float) -> None:
        message = stun.parse(data)
        remote = self._remote
        if remote is None:
            return
        if message.message_type == stun.BINDING_REQUEST and stun.has_integrity(data, message, self.password.encode()):
            mapped = stun.xor_address(remote.address, message.transaction_id)
            attributes = [(stun.XOR_MAPPED_ADDRESS, mapped)]
            answer = stun.serialize(stun.BINDING_SUCCESS, message.transaction_id, attributes, self.password.encode())
            self._out.append(answer)
        elif message.message_type == stun.BINDING_SUCCESS and message.transaction_id == self._transaction:
            self._check_at = now + CONSENT_INTERVAL_S
            if not self._nominated:
                self._nominated = True
                self._dtls = DtlsEndpoint(
                    self.certificate,
                    role=self._role,
                    remote_fingerprints=remote.fingerprints,
                    profiles=self._profiles,
                )
                self._flush_dtls()

    # --- sending --------------------------------------------------------------------------------------------------

    def handle_timeout(self, now: float) -> None:
        """Check, consent (RFC 7675), repeat lost flights, report: to be called every 20 ms or so."""
        remote = self._remote
        if remote is None:
            return
        if now >= self._check_at:
            self._check_at = now + (CONSENT_INTERVAL_S if self._nominated else CHECK_INTERVAL_S)
            self._transaction = secrets.token_bytes(12)
            attributes = [
                (stun.USERNAME, f"{remote.ufrag}:{self.ufrag}".encode()),
                (stun.PRIORITY, (0x6E7F00FF).to_bytes(4, "big")),
                (stun.ICE_CONTROLLING, secrets.token_bytes(8)),
                (stun.USE_CANDIDATE, b""),
            ]
            password = remote.password.encode()
            self._out.append(stun.serialize(stun.BINDING_REQUEST, self._transaction, attributes, password))
        if self._dtls is not None and self.sender is None:
            self._dtls.handle_timeout(now)
            self._flush_dtls()
        report = self._arrivals.poll(now)
        if self.sender is not None and report is not None:
            begin, arrivals = report
            for first, portion in twcc.portions(arrivals, begin):
                message = twcc.build(self._ssrc, next(iter(self.streams)), self._feedback_count & 0xFF, first, portion)
                self._feedback_count += 1
                self._out.append(self.sender.protect_rtcp(message))
        if self.sender is not None and self.streams and now >= self._report_at:
            self._report_at = now + REPORT_INTERVAL_S
            streams = list(self.streams.values())[:31]
            blocks = [rtcp.ReportBlock(stream.ssrc, *stream.statistics.report(now)) for stream in streams]
            self._out.append(self.sender.protect_rtcp(rtcp.ReceiverReport(self._ssrc, blocks).serialize()))

    def datagrams_to_send(self) -> list[bytes]:
        """Return and forget what goes to `address`."""
        out, self._out = self._out, []
        return out

    def close(self) -> None:
        """Say goodbye."""
        if self._dtls is not None:
            self._dtls.close()
            self._out += self._dtls.datagrams_to_send()

    def _flush_dtls(self) -> None:
        dtls = self._dtls
        assert dtls is not None
        self._out += dtls.datagrams_to_send()
        if dtls.connected and self.sender is None:
            keys = dtls.srtp_keys
            self.profile = keys.profile.name
            self._receiver = SrtpReceiver(keys.profile, keys.remote_key, keys.remote_salt)
            self.sender = SrtpSender(keys.profile, keys.local_key, keys.local_salt)
        elif dtls.closed and self.failed is None:
            self.failed = "the DTLS association was closed"
