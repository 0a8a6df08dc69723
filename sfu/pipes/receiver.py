"""The receiving end of a pipe: SRTP in, packets in order out; lost ones are asked for again (sans-IO)."""

from __future__ import annotations

from dataclasses import dataclass

from control.pipes import PipeSpec
from sfu.errors import MalformedPacketError
from sfu.machines.srtp import AEAD_AES_128_GCM, SrtpReceiver, SrtpSender
from sfu.serial import unwrap
from sfu.units import unix_from_ntp
from sfu.wire import rtcp

PATIENCE_S = 0.25
"""How long a missing packet is waited for."""
RETRY_S = 0.04
MAX_WAITING = 1024


@dataclass(slots=True, frozen=True)
class PipePacket:
    """One packet of a pipe. `seq` and `timestamp` are unwrapped; `lost_before` packets just before it never came."""

    seq: int
    timestamp: int
    marker: bool
    payload: bytes
    lost_before: int


class PipeReceiver:
    """Order, repair and clock of one pipe. After every input take `packets` and `datagrams_to_send`."""

    def __init__(self, spec: PipeSpec) -> None:
        self.spec = spec
        self._receiver = SrtpReceiver(AEAD_AES_128_GCM, spec.key, spec.salt)
        self._sender = SrtpSender(AEAD_AES_128_GCM, spec.key, spec.salt)
        self._waiting: dict[int, tuple[int, bool, bytes, float]] = {}
        self._next: int | None = None
        self._lost = 0
        self._timestamp = 0
        self._asked: dict[int, float] = {}
        self._ready: list[PipePacket] = []
        self._out: list[bytes] = []
        self._reference: tuple[float, int] | None = None
        self.malformed = 0

    def receive_datagram(self, data: bytes, now: float) -> bool:
        """Take one datagram and return True; what does not authenticate is counted and dropped."""
        try:
            if len(data) >= 8 and 200 <= data[1] <= 206:
                self._receive_rtcp(data)
            else:
                self._receive_rtp(data, now)
        except MalformedPacketError:
            self.malformed += 1
            return False
        return True

    def packets(self) -> list[PipePacket]:
        """Return and forget the packets that are ready, in order."""
        ready, self._ready = self._ready, []
        return ready

    def datagrams_to_send(self) -> list[bytes]:
        """Return and forget what is to be sent back to the media worker."""
        out, self._out = self._out, []
        return out

    def request_keyframe(self) -> None:
        """Ask for a keyframe (PLI)."""
        self._out.append(self._sender.protect_rtcp(rtcp.Pli(self._own_ssrc, self.spec.ssrc).serialize()))

    def wall_time(self, timestamp: int) -> float | None:
        """Return the Unix time of an unwrapped RTP timestamp; None before the first sender report."""
        if self._reference is None:
            return None
        at_s, reference = self._reference
        return at_s + (timestamp - reference) / self.spec.clock_rate

    def handle_timeout(self, now: float) -> None:
        """Ask again for what is missing, and give up what is too old."""
        self._release(now)
        if self._next is None or not self._waiting:
            return
        newest = min(max(self._waiting), self._next + MAX_WAITING)
        missing = [seq for seq in range(self._next, newest) if seq not in self._waiting][:128]
        due = [seq for seq in missing if now - self._asked.get(seq, float("-inf")) >= RETRY_S]
        if due:
            for seq in due:
                self._asked[seq] = now
            nack = rtcp.Nack(self._own_ssrc, self.spec.ssrc, [seq & 0xFFFF for seq in due])
            self._out.append(self._sender.protect_rtcp(nack.serialize()))

    @property
    def _own_ssrc(self) -> int:
        return self.spec.ssrc ^ 0xFFFFFFFF

    def _receive_rtp(self, data: bytes, now: float) -> None:
        if len(data) < 28 or data[0] & 0xDF != 0x80:
            raise MalformedPacketError("not the RTP of a pipe")
        ssrc = int.from_bytes(data[8:12], "big")
        if ssrc != self.spec.ssrc:
            raise MalformedPacketError("of another pipe")
        seq, payload = self._receiver.unprotect_rtp(data, len(data), ssrc, int.from_bytes(data[2:4], "big"), 12)
        if data[0] & 0x20 and payload:
            payload = payload[: max(0, len(payload) - payload[-1])]
        timestamp = int.from_bytes(data[4:8], "big")
        if self._next is None:
            self._next = seq
            self._timestamp = timestamp
        if seq < self._next or len(self._waiting) >= MAX_WAITING:
            return
        unwrapped = unwrap(timestamp, self._timestamp, 32)
        self._waiting[seq] = (unwrapped, bool(data[1] & 0x80), payload, now)
        self._timestamp = max(self._timestamp, unwrapped)
        self._release(now)

    def _release(self, now: float) -> None:
        if self._next is None:
            return
        waiting = self._waiting
        while waiting:
            if self._next not in waiting:
                if now - min(arrived for *_, arrived in waiting.values()) < PATIENCE_S:
                    return
                oldest = min(waiting)
                self._lost += oldest - self._next
                self._next = oldest
                self._asked = {seq: at for seq, at in self._asked.items() if seq >= oldest}
            timestamp, marker, payload, _ = waiting.pop(self._next)
            self._asked.pop(self._next, None)
            self._ready.append(PipePacket(self._next, timestamp, marker, payload, self._lost))
            self._lost = 0
            self._next += 1

    def _receive_rtcp(self, data: bytes) -> None:
        for packet in rtcp.parse(self._receiver.unprotect_rtcp(data)):
            if isinstance(packet, rtcp.SenderReport) and packet.ssrc == self.spec.ssrc:
                self._reference = unix_from_ntp(packet.ntp_time), unwrap(packet.rtp_timestamp, self._timestamp, 32)
