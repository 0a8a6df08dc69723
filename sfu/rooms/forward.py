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

    from sfu.rooms.publication import Layer
    from sfu.rooms.subscription import Subscription
    from sfu.streams.store import Packet
    from sfu.units import Address

HEADER = Struct("!HHII")
HEADER_BYTES = 12
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

    def forward(self, layer: Layer, packets: Sequence[Packet]) -> None:
        """Seal in-order packets of a layer for all its subscribers; `flush` sends them."""
        subscribers = layer.subscribers
        octets = sum(len(packet[3]) for packet in packets)
        count = len(packets)
        for run in _runs(packets):
            for first in range(0, len(subscribers), MAX_FANOUT):
                self._seal(layer, first, run)
        for subscription in subscribers:
            subscription.packets += count
            subscription.octets += octets
            subscription.destination.bytes_sent += octets
        self.packets_forwarded += count * len(subscribers)

    def flush(self) -> None:
        """Send what was sealed."""
        batch = self._batch
        if batch.runs:
            self._outlet.send_batch(batch)
            batch.clear()

    def _seal(self, layer: Layer, first: int, packets: Sequence[Packet]) -> None:
        """Seal packets that fit into one segmented send, for at most MAX_FANOUT of the layer's subscribers."""
        batch = self._batch
        subscribers = layer.subscribers[first : first + MAX_FANOUT]
        plan = [(*packet, len(packet[3]) + TAG_BYTES) for packet in packets]
        length = sum(packet[4] + HEADER_BYTES for packet in plan)
        if batch.used + length * len(subscribers) > BATCH_BYTES:
            self.flush()
        start = body = batch.used
        buffer, view = batch.buffer, batch.view
        pack = HEADER.pack
        addresses: list[Address] = []
        for subscription in subscribers:
            address = subscription.destination.address
            stream = subscription.stream
            if address is None or stream is None:
                continue
            if not isinstance(stream, GcmOutStream):
                for packet in packets:
                    self.send_packet(subscription, packet)
                continue
            addresses.append(address)
            ssrc = subscription.ssrc
            payload_type = subscription.payload_type
            index_offset = subscription.index_offset
            timestamp_offset = subscription.timestamp_offset
            nonce_base = stream.nonce_base
            encrypt_into = stream.encrypt_into
            for index, timestamp, bits, payload, size in plan:
                outgoing = index + index_offset
                header = pack(bits | payload_type, outgoing & 0xFFFF, (timestamp + timestamp_offset) & 0xFFFFFFFF, ssrc)
                offset = body
                body += HEADER_BYTES
                buffer[offset:body] = header
                offset = body
                body += size
                encrypt_into((nonce_base ^ outgoing).to_bytes(12, "big"), payload, header, view[offset:body])
        if not addresses:
            return
        fanout = layer.fanouts.get(first)
        if fanout is None or fanout.addresses != addresses:
            fanout = layer.fanouts[first] = Fanout(addresses)
        batch.used = body
        batch.runs.append((fanout, start, length, plan[0][4] + HEADER_BYTES))

    def send_packet(self, subscription: Subscription, packet: Packet) -> None:
        """Send one packet of the current layer of a subscription (late ones, and the slow cases)."""
        self.send_mapped(subscription, packet, packet[0] + subscription.index_offset, subscription.timestamp_offset)

    def send_mapped(self, subscription: Subscription, packet: Packet, outgoing: int, timestamp_offset: int) -> None:
        """Send one packet with the given outgoing index and offset."""
        stream = subscription.stream
        address = subscription.destination.address
        if stream is None or address is None:
            return
        _, timestamp, bits, payload = packet
        header = HEADER.pack(
            bits | subscription.payload_type,
            outgoing & 0xFFFF,
            (timestamp + timestamp_offset) & 0xFFFFFFFF,
            subscription.ssrc,
        )
        length = stream.seal_into(self._single, 0, header, payload, outgoing)
        self._outlet.send(self._single_view[:length], length, address)

    def send_retransmission(
        self, subscription: Subscription, packet: Packet, outgoing: int, timestamp_offset: int
    ) -> None:
        """Send a packet again on the RTX stream (RFC 4588)."""
        stream = subscription.rtx
        address = subscription.destination.address
        if stream is None or address is None or subscription.rtx_payload_type is None:
            return
        _, timestamp, bits, payload = packet
        subscription.rtx_index += 1
        header = HEADER.pack(
            bits | subscription.rtx_payload_type,
            subscription.rtx_index & 0xFFFF,
            (timestamp + timestamp_offset) & 0xFFFFFFFF,
            subscription.rtx_ssrc,
        )
        wrapped = rtx.wrap(outgoing & 0xFFFF, payload)
        length = stream.seal_into(self._single, 0, header, wrapped, subscription.rtx_index)
        self._outlet.send(self._single_view[:length], length, address)


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
        total += length + HEADER_BYTES + TAG_BYTES
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
