"""The hot path: one group of packets of one layer to all its subscribers, sealed and segmented.

This file cuts through the layers of the house on purpose: rewriting, sealing and batching are one loop, because every
call per packet and subscriber counts. `parvis bench forwarding` measures it (docs/benchmarks.md). What makes it cheap:

* one buffer for a whole batch: each copy of a packet is sealed where it will be sent from;
* packets of equal size (libwebrtc splits frames evenly) leave as one message with UDP segmentation (GSO);
* messages to all subscribers of all layers leave by one system call (`sfu.rooms.outlet`, `sfu.aio.mmsg`).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from sfu.machines.srtp import GcmOutStream
from sfu.rooms.outlet import BATCH_BYTES, MAX_FANOUT, Batch, Fanout, Outlet
from sfu.streams import rtx

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sfu.machines.srtp import SrtpOutStream
    from sfu.rooms.publication import Layer
    from sfu.rooms.subscription import Subscription
    from sfu.streams.store import Packet
    from sfu.units import Address

HEADER = Struct("!HHII")
EXTENDED = Struct("!HHIIIBHx")
"""With one header extension (RFC 8285): the transport-wide sequence number."""
EXTENSION_BIT = 0x1000
ONE_EXTENSION = 0xBEDE0001
PADDED = 0xA000
"""First 16 bits of a header with version 2 and padding."""
TAG_BYTES = 16
MAX_SEGMENTS = 64
"""UDP_MAX_SEGMENTS of Linux before 6.9; later kernels take 128."""
MAX_SEND_BYTES = 65_000


class Forwarder:
    """Seals and sends groups of packets. One per media worker."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._batch = Batch()
        self._single = bytearray(2048)
        self._single_view = memoryview(self._single)
        self.packets_forwarded = 0
        """RTP packets sent to receivers."""

    def forward(self, layer: Layer, packets: Sequence[Packet], now: float) -> None:
        """Seal in-order packets of a layer for all its subscribers; `flush` sends them."""
        subscribers = layer.subscribers
        octets = sum(len(packet[3]) for packet in packets)
        count = len(packets)
        for subscription in subscribers:
            subscription.packets += count
            subscription.octets += octets
            subscription.destination.bytes_sent += octets
        self.packets_forwarded += count * len(subscribers)
        reporting = [each for each in subscribers if each.destination.log is not None]
        others = (
            [each for each in subscribers if each.destination.log is None] if len(reporting) < len(subscribers) else []
        )
        for run in _runs(packets):
            for receivers, header in ((reporting, EXTENDED), (others, HEADER)):
                for first in range(0, len(receivers), MAX_FANOUT):
                    self._seal(layer, receivers[first : first + MAX_FANOUT], (first, header.size), run, now)

    def flush(self) -> None:
        """Send what was sealed."""
        batch = self._batch
        if batch.runs:
            self._outlet.send_batch(batch)
            batch.clear()

    def _seal(
        self,
        layer: Layer,
        subscribers: Sequence[Subscription],
        place: tuple[int, int],
        packets: Sequence[Packet],
        now: float,
    ) -> None:
        """Seal packets that fit into one segmented send, for subscribers who all, or all not, give feedback.

        `place` is (position among them all, size of the header in bytes).
        """
        batch = self._batch
        header_bytes = place[1]
        extended = header_bytes == EXTENDED.size
        plan = [(*packet, len(packet[3]) + TAG_BYTES) for packet in packets]
        count = len(plan)
        length = sum(packet[4] for packet in plan) + count * header_bytes
        segment, last = plan[0][4] + header_bytes, plan[-1][4] + header_bytes
        if batch.used + length * len(subscribers) > BATCH_BYTES:
            self.flush()
        start = body = batch.used
        buffer, view = batch.buffer, batch.view
        pack, pack_extended = HEADER.pack, EXTENDED.pack
        addresses: list[Address] = []
        number = extension = 0
        for subscription in subscribers:
            destination = subscription.destination
            address = destination.address
            stream = subscription.stream
            if address is None or stream is None:
                continue
            if not isinstance(stream, GcmOutStream):
                for packet in packets:
                    self.send_packet(subscription, packet, now)
                continue
            addresses.append(address)
            ssrc = subscription.ssrc
            payload_type = subscription.payload_type
            index_offset = subscription.index_offset
            timestamp_offset = subscription.timestamp_offset
            nonce_base = stream.nonce_base
            encrypt_into = stream.encrypt_into
            if extended:
                log = destination.log
                assert log is not None
                number = log.next
                log.next = number + count
                log.runs.append((number, count, segment, last, now, destination.probe))
                extension = destination.sequence_extension << 4 | 1
                payload_type |= EXTENSION_BIT
            for index, timestamp, bits, payload, size in plan:
                outgoing = index + index_offset
                stamp = (timestamp + timestamp_offset) & 0xFFFFFFFF
                if extended:
                    header = pack_extended(
                        bits | payload_type, outgoing & 0xFFFF, stamp, ssrc, ONE_EXTENSION, extension, number & 0xFFFF
                    )
                    number += 1
                else:
                    header = pack(bits | payload_type, outgoing & 0xFFFF, stamp, ssrc)
                offset = body
                body += header_bytes
                buffer[offset:body] = header
                offset = body
                body += size
                encrypt_into((nonce_base ^ outgoing).to_bytes(12, "big"), payload, header, view[offset:body])
        if not addresses:
            return
        fanout = layer.fanouts.get(place)
        if fanout is None or fanout.addresses != addresses:
            fanout = layer.fanouts[place] = Fanout(addresses)
        batch.used = body
        batch.runs.append((fanout, start, length, segment))

    def send_packet(self, subscription: Subscription, packet: Packet, now: float) -> None:
        """Send one packet of the current layer of a subscription (late ones, and the slow cases)."""
        outgoing = packet[0] + subscription.index_offset
        self.send_mapped(subscription, packet, outgoing, subscription.timestamp_offset, now)

    def send_mapped(
        self, subscription: Subscription, packet: Packet, outgoing: int, timestamp_offset: int, now: float
    ) -> None:
        """Send one packet with the given outgoing index and offset."""
        _, timestamp, bits, payload = packet
        stamp = (timestamp + timestamp_offset) & 0xFFFFFFFF
        bits |= subscription.payload_type
        self._send(subscription, subscription.stream, (bits, outgoing, stamp, subscription.ssrc), payload, now)

    def send_retransmission(
        self, subscription: Subscription, packet: Packet, outgoing: int, timestamp_offset: int, now: float
    ) -> int:
        """Send a packet again on the RTX stream (RFC 4588); return its size on the wire, 0 when there is no RTX."""
        _, timestamp, bits, payload = packet
        stamp = (timestamp + timestamp_offset) & 0xFFFFFFFF
        return self._send_rtx(subscription, bits, stamp, rtx.wrap(outgoing & 0xFFFF, payload), now)

    def send_padding(self, subscription: Subscription, size: int, now: float) -> int:
        """Send nothing but padding (RFC 3550 section 5.1) on the RTX stream; return the size on the wire."""
        size = max(1, min(255, size))
        return self._send_rtx(
            subscription, PADDED, subscription.rewriter.last_timestamp, bytes(size - 1) + bytes([size]), now
        )

    def _send_rtx(self, subscription: Subscription, bits: int, timestamp: int, payload: bytes, now: float) -> int:
        stream, payload_type, ssrc = subscription.rtx, subscription.rtx_payload_type, subscription.rtx_ssrc
        if stream is None or payload_type is None or ssrc is None:
            return 0
        subscription.rtx_index += 1
        return self._send(
            subscription, stream, (bits | payload_type, subscription.rtx_index, timestamp, ssrc), payload, now
        )

    def _send(
        self,
        subscription: Subscription,
        stream: SrtpOutStream | None,
        fields: tuple[int, int, int, int],
        payload: bytes,
        now: float,
    ) -> int:
        """Send one packet by itself. `fields` are those of the header: bits, packet index, timestamp, SSRC."""
        destination = subscription.destination
        address = destination.address
        if stream is None or address is None:
            return 0
        bits, outgoing, stamp, ssrc = fields
        log = destination.log
        if log is None:
            header = HEADER.pack(bits, outgoing & 0xFFFF, stamp, ssrc)
        else:
            number = log.sent(EXTENDED.size + len(payload) + TAG_BYTES, now, destination.probe)
            extension = destination.sequence_extension << 4 | 1
            header = EXTENDED.pack(
                bits | EXTENSION_BIT, outgoing & 0xFFFF, stamp, ssrc, ONE_EXTENSION, extension, number & 0xFFFF
            )
        length = stream.seal_into(self._single, 0, header, payload, outgoing)
        self._outlet.send(self._single_view[:length], length, address)
        return length


def _runs(packets: Sequence[Packet]) -> list[Sequence[Packet]]:
    """Cut a group greedily into runs that one segmented send can carry."""
    if len(packets) == 1:
        return [packets]
    runs: list[Sequence[Packet]] = []
    start = 0
    size = len(packets[0][3])
    total = size
    for position in range(1, len(packets)):
        length = len(packets[position][3])
        total += length + EXTENDED.size + TAG_BYTES
        if (
            length > size
            or len(packets[position - 1][3]) < size
            or position - start >= MAX_SEGMENTS
            or total > MAX_SEND_BYTES
        ):
            runs.append(packets[start:position])
            start = position
            size = total = length
    runs.append(packets[start:])
    return runs
