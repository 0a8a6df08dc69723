"""One publication on its way to one receiver: a participant's peer or a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sfu.rooms.allocation import Patience
from sfu.rooms.policing import keyframe_requests
from sfu.rooms.publication import Layer, Publication
from sfu.serial import unwrap
from sfu.streams.layers import LossLadder, choose
from sfu.streams.loss import LinkLoss
from sfu.streams.rewrite import Rewriter, Seam
from sfu.units import Address

if TYPE_CHECKING:
    from sfu.congestion.sent import SentLog
    from sfu.machines.srtp import SrtpOutStream
    from sfu.wire.payloads.pictures import PictureNumbers
    from sfu.wire.rtcp import ReportBlock


class Destination(Protocol):
    """Where sealed packets go: a browser's transport or a pipe's."""

    address: Address | None
    bytes_sent: int
    log: SentLog | None
    sequence_extension: int
    probe: int


class Subscription:
    """The numbers and the state of one publication towards one destination.

    It is in exactly one place at a time: among the `subscribers` of one layer (flowing), and perhaps `waiting` at
    another one to be switched to; or nowhere (paused, not wanted, not connected).
    """

    __slots__ = (
        "_link", "active", "allotted", "base_index", "destination", "index_offset", "is_allotted",
        "keyframe_requests", "ladder", "layer", "lost_reported", "octets", "packets", "patience", "payload_type",
        "pictures", "publication", "rewriter", "rtx", "rtx_index", "rtx_payload_type", "rtx_ssrc", "ssrc", "stream",
        "target", "timestamp_offset", "wished_rid",
    )  # fmt: skip

    def __init__(
        self,
        publication: Publication,
        destination: Destination,
        *,
        ssrc: int,
        payload_type: int,
        rtx_ssrc: int | None,
        rtx_payload_type: int | None,
        first_index: int,
        first_timestamp: int,
    ) -> None:
        self.publication = publication
        self.destination = destination
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.rtx_ssrc = rtx_ssrc
        self.rtx_payload_type = rtx_payload_type
        self.rtx_index = first_index
        self.stream: SrtpOutStream | None = None
        """Sealing of this SSRC; set when the destination's keys are known."""
        self.rtx: SrtpOutStream | None = None
        self.active = False
        """Connected and accepted: may be sent to."""
        self.rewriter = Rewriter(first_index, first_timestamp)
        self.layer: Layer | None = None
        self.target: Layer | None = None
        self.wished_rid: str | None = None
        self.ladder = LossLadder()
        self.patience = Patience()
        self.allotted: int | None = None
        """Position of the layer that the receiver's link has room for; None for none, and without an estimate."""
        self.is_allotted = False
        """Whether there is an estimate of the receiver's link, so that `allotted` counts."""
        self.keyframe_requests = keyframe_requests()
        """How many keyframes the receiver may still cause."""
        self.index_offset = 0
        self.timestamp_offset = 0
        self.base_index = 0
        self.pictures: PictureNumbers | None = None
        """The newest picture that was sent, as far as it was asked for; see `pictures_sent`."""
        self.packets = 0
        self.octets = 0
        self.lost_reported = 0.0
        """Share (0 to 1) that was lost on the receiver's own link, at its last report."""
        self._link = LinkLoss()

    # --- state ----------------------------------------------------------------------------------------------------

    def retarget(self, now: float) -> None:
        """Choose the layer to be on, and ask for a keyframe of it if that is another one."""
        publication = self.publication
        if not self.active or publication.paused:
            self.leave()
            return
        if publication.kind == "audio":
            layer: Layer | None = publication.layers[0]
        else:
            position = self.allotted if self.is_allotted else self._step_by_loss(now)
            layer = None if position is None else publication.layers[position]
            if position is None and not self.is_allotted and self.ladder.step == 0:
                return  # nothing is being sent: stay where we are until something is
        if layer is None:
            self.leave()
            return
        if layer is self.target:
            return
        self._stop_waiting()
        self.target = layer
        if layer is not self.layer:
            self._wait(layer)

    @property
    def has_no_room(self) -> bool:
        """Whether the receiver's link is too narrow for this picture."""
        return self.is_allotted and self.allotted is None

    def allot(self, position: int | None, now: float, *, forced: bool = False) -> bool:
        """Take the layer that the receiver's link has room for; return whether it is another than before.

        `forced`: the one before is no longer there or no longer wished, which says nothing about the link.
        """
        if self.is_allotted and position == self.allotted:
            return False
        if self.is_allotted and not forced:
            self.patience.changed(self.allotted, position, now)
        self.is_allotted = True
        self.allotted = position
        self.retarget(now)
        return True

    def wait_for(self, layer: Layer) -> None:
        """Stop forwarding until a layer, perhaps the same one, can be begun."""
        self.leave()
        self.target = layer
        self._wait(layer)

    def leave(self) -> None:
        """Stop forwarding; numbers go on from here when it starts again."""
        self._stop_waiting()
        self.target = None
        if self.layer is not None:
            self._remember_newest()
            self.layer.subscribers.remove(self)
            self.layer = None

    def switch(self, layer: Layer, index: int, timestamp: int) -> None:
        """Begin forwarding a layer with this packet of it (which is then sent by the caller)."""
        previous = self.rewriter.seams[-1] if self.rewriter.seams else None
        elapsed = 1
        if previous is not None:
            if self.layer is not None:
                self._remember_newest()
                self.layer.subscribers.remove(self)
            elapsed = self._elapsed_ticks(previous, layer, timestamp)
        if self in layer.waiting:
            layer.waiting.remove(self)
        seam = self.rewriter.switch(layer, index, timestamp, elapsed)
        self.index_offset = seam.index_offset
        self.timestamp_offset = seam.timestamp_offset
        self.base_index = index
        self.layer = self.target = layer
        layer.subscribers.append(self)

    @property
    def newest_index(self) -> int:
        """The newest outgoing packet index."""
        newest = self.rewriter.last_index
        layer = self.layer
        return newest if layer is None else max(newest, layer.highest + self.index_offset)

    def reported(self, block: ReportBlock) -> None:
        """Take a receiver's report."""
        highest = unwrap(block.highest & 0xFFFF, self.newest_index, 16)
        self.lost_reported = self._link.reported(highest, block.lost, block.fraction_lost / 256, self._never_sent)

    def pictures_sent(self) -> PictureNumbers | None:
        """Return the numbers of the newest picture that was sent; None when there is none or its codec has none."""
        self._remember_newest()
        return self.pictures

    # --- details --------------------------------------------------------------------------------------------------

    def _step_by_loss(self, now: float) -> int | None:
        if self.target is None:
            self.ladder.retry(now)
        return choose(self.publication.layers, self.wished_rid, self.ladder.step, now)

    def _wait(self, layer: Layer) -> None:
        layer.waiting.append(self)
        if self.publication.kind == "video":
            layer.keyframes.want()

    def _stop_waiting(self) -> None:
        target = self.target
        if target is not None and self in target.waiting:
            target.waiting.remove(self)

    def _remember_newest(self) -> None:
        layer = self.layer
        if layer is not None and layer.highest >= self.base_index:
            self.rewriter.last_index = max(self.rewriter.last_index, layer.highest + self.index_offset)
            self.rewriter.last_timestamp = (layer.newest_timestamp + self.timestamp_offset) & 0xFFFFFFFF
            self.pictures = layer.newest_pictures() or self.pictures

    def _never_sent(self, first: int, end: int) -> int:
        """Count the outgoing indices in a range whose packets the publisher lost on its way to us."""
        holes = 0
        for seam in reversed(self.rewriter.seams):
            begin = max(first, seam.first_index + seam.index_offset)
            if begin < end and isinstance(seam.source, Layer):
                present = map(seam.source.store.__contains__, range(begin - seam.index_offset, end - seam.index_offset))
                holes += end - begin - sum(present)
                end = begin
        return holes

    def _elapsed_ticks(self, previous: Seam, layer: Layer, timestamp: int) -> int:
        """Media time between the newest packet sent and the one to send, by the clocks of their layers."""
        source = previous.source
        if not isinstance(source, Layer) or not source.clock.known or not layer.clock.known:
            return 1
        last = (self.rewriter.last_timestamp - previous.timestamp_offset) & 0xFFFFFFFF
        elapsed_s = layer.clock.wall_time(timestamp) - source.clock.wall_time(last)
        return round(elapsed_s * layer.publication.clock_rate)
