"""The sending end of a pipe: one publication to a worker, as SRTP without ICE or DTLS (control.pipes.PipeSpec)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from control.pipes import PipeSpec
from sfu.machines.srtp import AEAD_AES_128_GCM, SrtpReceiver, SrtpSender
from sfu.rooms.policing import retransmissions
from sfu.rooms.subscriber import SENDER_REPORT_INTERVAL_S, Repairs, sender_report
from sfu.rooms.subscription import Subscription
from sfu.units import Address
from sfu.wire import rtcp

if TYPE_CHECKING:
    from sfu.congestion.sent import SentLog
    from sfu.rooms.forward import Forwarder
    from sfu.rooms.publication import Publication


class Pipe:
    """A subscription whose keys and address came over the control channel."""

    def __init__(self, spec: PipeSpec, address: Address, publication: Publication, first_timestamp: int) -> None:
        self.spec = spec
        self.address: Address | None = address
        self.bytes_sent = 0
        self.log: SentLog | None = None  # a pipe stays in one data centre: it is given the best there is
        self.sequence_extension = 0
        self.probe = 0
        self._sender = SrtpSender(AEAD_AES_128_GCM, spec.key, spec.salt)
        self._receiver = SrtpReceiver(AEAD_AES_128_GCM, spec.key, spec.salt)
        self._reported_at = float("-inf")
        self._repairs = Repairs(retransmissions())
        self.subscription = Subscription(
            publication,
            self,
            ssrc=spec.ssrc,
            payload_type=spec.payload_type,
            rtx_ssrc=None,
            rtx_payload_type=None,
            first_index=1,
            first_timestamp=first_timestamp,
        )
        self.subscription.stream = self._sender.stream(spec.ssrc)
        self.subscription.active = True
        publication.subscriptions.append(self.subscription)

    def close(self) -> None:
        """Stop sending."""
        self.subscription.active = False
        self.subscription.leave()
        if self.subscription in self.subscription.publication.subscriptions:
            self.subscription.publication.subscriptions.remove(self.subscription)

    def receive_rtcp(self, data: bytes, now: float, forwarder: Forwarder) -> None:
        """Take SRTCP from the receiving end: NACK and PLI. Raises MalformedPacketError (SrtpError included)."""
        for packet in rtcp.parse(self._receiver.unprotect_rtcp(data)):
            if isinstance(packet, rtcp.Nack):
                self._repairs.retransmit(self.subscription, packet.lost, now, forwarder)
            elif isinstance(packet, rtcp.Pli) and self.subscription.layer is not None:
                self.subscription.layer.keyframes.want()

    def report(self, now: float, at_s: float) -> bytes | None:
        """Return a sender report when one is due: as soon as packets flow, then every second."""
        if now - self._reported_at < SENDER_REPORT_INTERVAL_S:
            return None
        report = sender_report(self.subscription, at_s)
        if report is None:
            return None
        self._reported_at = now
        return self._sender.protect_rtcp(report)
