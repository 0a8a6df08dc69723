"""A subscription stands in one place at a time, whatever its receiver reports."""

from secrets import token_bytes

from control.ids import ParticipantId, PeerId, PublicationId, RoomId
from sfu.machines.certificate import Certificate
from sfu.peer.peer import Peer
from sfu.rooms.publication import Publication
from sfu.rooms.refusals import Refusals
from sfu.rooms.subscriber import SubscriberPeer
from sfu.streams.clock import PeerClock
from sfu.wire import rtcp


def test_loss_while_waiting_for_a_keyframe_moves_the_wait_and_never_doubles_it() -> None:
    publication = Publication(
        id=PublicationId("camera"),
        participant=ParticipantId("anne"),
        source="camera",
        kind="video",
        mid="0",
        codec="vp8",
        clock_rate=90_000,
        channels=1,
        fmtp="",
        rids=["f", "h", "q"],
        peer_clock=PeerClock(),
    )
    peer = Peer(
        PeerId("sub"), ufrag="u", password="p", certificate=Certificate.generate(), random_bytes=token_bytes, now=0.0
    )
    subscriber = SubscriberPeer(RoomId("room"), ParticipantId("luc"), peer, None, lambda: 7, Refusals())
    subscriber.add(publication)
    subscription = subscriber.subscriptions[publication.id]
    subscription.active = True
    places = []
    for now in (10.0, 12.0, 14.0):
        for layer in publication.layers:
            layer.last_packet_at = now
        subscription.retarget(now)
        places.append([layer.rid for layer in publication.layers for _ in layer.waiting])
        block = rtcp.ReportBlock(subscription.ssrc, 128, 0, 0, 0, 0, 0)
        subscriber.receive_rtcp([rtcp.ReceiverReport(1, [block])], now, now, None)  # type: ignore[arg-type]
    assert places == [["f"], ["h"], ["q"]]
