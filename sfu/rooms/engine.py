"""All rooms of one media worker: datagrams and commands in, datagrams and notices out.

Sans-IO but for the outlet of the hot path (`sfu.rooms.outlet.Outlet`). The caller passes two clocks with every input:
`now` (monotonic seconds) for timers and `at_s` (Unix time) for what leaves the worker.
"""

from __future__ import annotations

from control import messages as m
from control.ids import ParticipantId, RoomId
from sfu.errors import MalformedPacketError
from sfu.machines.ice_lite import ufrag_of
from sfu.machines.srtp import AuthenticationError, ReplayError
from sfu.rooms.commands import Commands
from sfu.rooms.forward import Forwarder
from sfu.rooms.outlet import Outlet
from sfu.rooms.refusals import Refusals
from sfu.rooms.roster import EngineOptions, Roster
from sfu.rooms.router import Router
from sfu.rooms.subscriber import SubscriberPeer
from sfu.units import Address
from sfu.wire import rtcp

QUALITY_INTERVAL_S = 2.0
SLOW_INTERVAL_S = 0.1
TRANSPORT_FEEDBACK, FEEDBACK_FORMAT = 205, 15
PROBING_S = 0.005
URGENT_S = 0.02
IDLE_S = 0.1
RETARGET_INTERVAL_S = 0.5
SPEAKERS_INTERVAL_S = 0.2


class Engine:
    """Takes datagrams apart, keeps the timers, and answers the control plane."""

    def __init__(self, options: EngineOptions, outlet: Outlet) -> None:
        self._outlet = outlet
        self._forwarder = Forwarder(outlet)
        self._refusals = Refusals()
        self._roster = Roster(options, outlet, self._refusals)
        self._router = Router(self._roster, self._forwarder)
        self._commands = Commands(self._roster, self._router)
        self._slow_at = 0.0
        self._quality_at = 0.0
        self._retarget_at = 0.0
        self._speakers_at = 0.0
        self._probing: list[SubscriberPeer] = []
        self.urgent = True
        """Whether something is missing that should be asked for soon."""

    def execute(self, command: m.Command, now: float) -> m.Result:
        """Carry out one command of the control plane; bad ones are answered with `Failed`."""
        self.urgent = True
        return self._commands.execute(command, now)

    # --- datagrams ------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, address: Address, now: float, at_s: float) -> None:
        """Take one datagram (RFC 7983), whatever is in it and wherever it comes from.

        Call `flush` after the last one of a batch.
        """
        if not data:
            self._refusals.note("unknown_sender")
            return
        first = data[0]
        if 127 < first < 192:
            publisher = self._roster.publisher_at(address)
            if publisher is not None and (len(data) < 2 or not 63 < data[1] & 0x7F < 96):
                received = publisher.receive_rtp(data, now, at_s)
                if received is not None:
                    self._router.route(publisher, received, now)
                return
            self._receive_rtcp(data, address, now, at_s)
        elif first < 4:
            self._receive_stun(data, address, now)
        elif 19 < first < 64:
            peer = self._roster.at(address)
            if peer is None or peer.closed:
                self._refusals.note("unknown_sender")
                return
            if not peer.receive_dtls(data):
                self._refusals.note("malformed")
            self._roster.drain(peer)
        else:
            self._refusals.note("unknown_sender")

    def _receive_stun(self, data: bytes, address: Address, now: float) -> None:
        if not address[1]:  # nothing can be sent to port 0, and trying may cost the worker its segmented sends
            self._refusals.note("unknown_sender")
            return
        owner = self._roster.at(address)
        peer = self._roster.of_ufrag(ufrag_of(data)) or owner
        if peer is None or peer.closed:
            self._refusals.note("unknown_sender")
            return
        if owner is not None and owner is not peer and owner.holds(address, now):
            self._refusals.note("address_taken")
            return
        if not peer.receive_stun(data, address, now):
            self._refusals.note("unauthentic")
            return
        if address in peer.addresses:
            self._roster.arrived(peer, address)
        self._roster.drain(peer)

    def _receive_rtcp(self, data: bytes, address: Address, now: float, at_s: float) -> None:
        peer = self._roster.at(address)
        try:
            if peer is None:
                pipe = self._roster.pipe_of(int.from_bytes(data[4:8], "big") ^ 0xFFFFFFFF)
                if pipe is None or pipe.address != address:
                    self._refusals.note("unknown_sender")
                    return
                pipe.receive_rtcp(data, now, self._forwarder)
                self.urgent = True
                return
            if peer.receiver is None or peer.closed:
                self._refusals.note("malformed")
                return
            subscriber = self._roster.subscribers.get(peer.id)
            if subscriber is not None and _is_feedback(data) and subscriber.spares_feedback(now):
                return
            plain = peer.receiver.unprotect_rtcp(data)
            if not peer.rtcp.take(1, now):
                self._refusals.note("rtcp_rate")
                return
            packets = rtcp.parse(plain)
        except MalformedPacketError as error:
            self._refusals.note("unauthentic" if isinstance(error, AuthenticationError | ReplayError) else "malformed")
            return
        publisher = self._roster.publishers.get(peer.id)
        if publisher is not None:
            publisher.receive_rtcp(packets, now, at_s)
        if subscriber is not None:
            subscriber.receive_rtcp(packets, now, at_s, self._forwarder)
            if any(isinstance(packet, rtcp.Pli | rtcp.Fir) for packet in packets):
                self.urgent = True

    def flush(self) -> None:
        """Forward what the batch brought."""
        if self._router.flush():
            self.urgent = True

    @property
    def patience_s(self) -> float:
        """How soon `handle_timeout` is to be called again at the latest."""
        return PROBING_S if self._probing else URGENT_S if self.urgent else IDLE_S

    # --- time -----------------------------------------------------------------------------------------------------

    def handle_timeout(self, now: float, at_s: float) -> None:
        """Look after timers, at the latest when `patience_s` says. What can wait is done every 100 ms."""
        self.urgent = False
        for publisher in self._roster.publishers.values():
            if publisher.handle_timeout(now):
                self.urgent = True
            if publisher.peer.connected:
                self._roster.drain(publisher.peer)
        if self._probing:
            self._probing = [each for each in self._probing if each.probe(self._forwarder, now)]
        if now - self._slow_at >= SLOW_INTERVAL_S:
            self._slow_at = now
            self._allot(now)
            for subscriber in self._roster.subscribers.values():
                subscriber.handle_timeout(now, at_s)
                self._roster.offer(subscriber)
            for peer in list(self._roster.peers.values()):
                peer.handle_timeout(now)
                self._roster.drain(peer)
        for pipe in self._roster.pipes.values():
            report = pipe.report(now, at_s)
            if report is not None and pipe.address is not None:
                self._outlet.send(memoryview(report), len(report), pipe.address)
        if self._roster.retarget_due or now - self._retarget_at >= RETARGET_INTERVAL_S:
            self._roster.retarget_due = False
            self._retarget_at = now
            for room in self._roster.rooms.values():
                for publication in room.publications.values():
                    self._router.retarget(publication, now)
        if now - self._speakers_at >= SPEAKERS_INTERVAL_S:
            self._speakers_at = now
            for room in self._roster.rooms.values():
                speakers = room.speakers.poll(room.publications, now)
                if speakers is not None:
                    self._roster.notices.append(m.Speaking(room.id, speakers))
        if now - self._quality_at >= QUALITY_INTERVAL_S:
            interval = now - self._quality_at if self._quality_at else QUALITY_INTERVAL_S
            self._quality_at = now
            self._report_quality(interval)

    def _allot(self, now: float) -> None:
        """Choose the layers of everybody whose link is estimated."""
        speaking: dict[RoomId, set[ParticipantId]] = {}
        for room in self._roster.rooms.values():
            known = room.publications
            speaking[room.id] = {known[name].participant for name in room.speakers.now if name in known}
            for publication in known.values():
                for layer in publication.layers:
                    layer.measure(now)
        for subscriber in self._roster.subscribers.values():
            for subscription, had_no_room in subscriber.allot(speaking[subscriber.room], now):
                self.urgent = True  # keyframes are to be asked for
                if subscription.has_no_room != had_no_room:
                    name = subscription.publication.id
                    self._roster.notices.append(m.SubscriptionChanged(subscriber.peer.id, name, not had_no_room))
            if subscriber.is_probing and subscriber not in self._probing:
                self._probing.append(subscriber)

    def notices(self) -> list[m.Notice]:
        """Return and forget what the control plane is to be told."""
        notices, self._roster.notices = self._roster.notices, []
        return notices

    def _report_quality(self, interval_s: float) -> None:
        for publisher in self._roster.publishers.values():
            if publisher.peer.connected:
                loss, bitrate = publisher.quality(interval_s)
                self._roster.notices.append(m.PeerQuality(publisher.peer.id, None, round(loss, 2), 0.0, bitrate, 0))
        for subscriber in self._roster.subscribers.values():
            if subscriber.peer.connected:
                loss, bitrate = subscriber.quality(interval_s)
                rtt_ms = None if subscriber.rtt_s is None else round(subscriber.rtt_s * 1000, 1)
                self._roster.notices.append(m.PeerQuality(subscriber.peer.id, rtt_ms, 0.0, round(loss, 2), 0, bitrate))

    @property
    def counts(self) -> dict[str, float]:
        """Gauges for the operator."""
        return {
            "rooms": len(self._roster.rooms),
            "peers": len(self._roster.peers),
            "pipes": len(self._roster.pipes),
            "packets_forwarded": self._forwarder.packets_forwarded,
            **{f"refused_{reason}": count for reason, count in self._refusals.counts.items()},
        }


def _is_feedback(data: bytes) -> bool:
    """Tell by the head, which SRTCP leaves in clear, whether a packet begins with transport-wide feedback."""
    return len(data) > 1 and data[1] == TRANSPORT_FEEDBACK and data[0] & 0x1F == FEEDBACK_FORMAT
