"""A receiver that changes layers sees one stream: sequence numbers, pictures and retransmissions go on."""

from itertools import pairwise

from control import messages as m
from control.ids import PeerId
from sfu.wire import rtcp
from sfu.wire.payloads import vp8
from tests.sfu.rooms.rig import CAMERA, PUBLICATION, Browser, Rig

RIDS = ("q", "h", "f")
MEDIA = (
    CAMERA
    + "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"
    "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n"
    + "".join(f"a=rid:{rid} send\r\n" for rid in RIDS)
    + "a=simulcast:send q;h;f\r\n"
)


class Camera:
    """Three layers, as Chromium sends them: they begin with the same picture numbers, then each counts for itself."""

    def __init__(self, rig: Rig, sizes: dict[str, int] | None = None) -> None:
        self.rig = rig
        self.sizes = sizes or dict.fromkeys(RIDS, 0)
        """Bytes of each picture beyond its head, by layer."""
        self.index = {"q": 10_000, "h": 20_000, "f": 30_000}
        self.number = dict.fromkeys(RIDS, 18_646)
        self.tl0 = dict.fromkeys(RIDS, 69)
        self.wanted: set[str] = set(RIDS)

    def packet(self, rid: str, *, keyframe: bool = False, late: bool = False) -> bytes:
        """Return the next picture of a layer, one packet long."""
        index = self.index[rid] = self.index[rid] + 1
        number = self.number[rid] = self.number[rid] + 1 & 0x7FFF
        self.tl0[rid] = self.tl0[rid] + 1 & 0xFF
        head = b"\x90\xe0" + (0x8000 | number).to_bytes(2, "big") + bytes([self.tl0[rid], 0x20])
        timestamp = round((self.rig.now - 1000) * 90_000) + 1_000_000 * RIDS.index(rid)
        return self.rig.publisher.sealed(
            index,
            timestamp,
            head + (b"\x10" if keyframe else b"\x11") + bytes(self.sizes[rid]) + rid.encode(),
            ssrc=RIDS.index(rid) + 1,
            extensions=[(1, b"0"), (2, rid.encode())],
        )

    def run(self, pictures: int, *, rare: str = "q") -> None:
        """Send pictures of all layers, every second one of the `rare` layer; keyframes where they are asked for."""
        for step in range(pictures):
            for rid in RIDS:
                if rid == rare and step % 2:
                    continue
                keyframe = rid in self.wanted
                self.wanted.discard(rid)
                self.rig.publisher.give(self.packet(rid, keyframe=keyframe))
            self.rig.tick(1 / 30)
            for packet in self.rig.publisher.rtcp:
                if isinstance(packet, rtcp.Pli):
                    self.wanted.add(RIDS[packet.media_ssrc - 1])
            self.rig.publisher.rtcp.clear()


def alive(rig: Rig) -> None:
    for browser in (rig.publisher, rig.subscriber):
        browser.check(browser.address)


def continuous(browser: Browser) -> None:
    """Assert that what a receiver got is one stream whose pictures only go on, and begin with keyframes at changes."""
    for (_, before, sent), (_, after, payload) in pairwise(browser.rtp):
        assert (before + 1) & 0xFFFF == after
        one, other = vp8.numbers(sent), vp8.numbers(payload)
        assert one is not None
        assert other is not None
        assert 0 < (other.picture - one.picture) & 0x7FFF < 16_384
        assert 0 < (other.tl0 - one.tl0) & 0xFF < 128
        if payload[-1:] != sent[-1:]:
            assert vp8.is_keyframe(payload)


def test_pictures_go_on_over_many_changes_of_layers() -> None:
    rig = Rig(media=MEDIA)
    camera = Camera(rig)
    camera.run(60)
    seen = set()
    for round_ in range(12):
        rig.do(m.SelectLayer(PeerId("sub"), PUBLICATION, RIDS[round_ % 3]))
        camera.run(90, rare=RIDS[round_ % 2])
        alive(rig)
        seen.add(rig.subscriber.rtp[-1][2][-1:])
    assert seen == {b"q", b"h", b"f"}
    continuous(rig.subscriber)


def test_two_receivers_that_change_at_different_times_both_see_pictures_go_on() -> None:
    rig = Rig(media=MEDIA)
    other, offer = rig.receiver("zoé", "other", ("198.51.100.7", 77))
    other.connect(offer)
    camera = Camera(rig)
    camera.run(60)
    for round_ in range(16):
        rig.do(m.SelectLayer(PeerId("sub"), PUBLICATION, RIDS[round_ % 3]))
        rig.do(m.SelectLayer(PeerId("other"), PUBLICATION, RIDS[round_ // 2 % 3]))
        camera.run(40)
        alive(rig)
        other.check(other.address)
        other.take()
    for browser in (rig.subscriber, other):
        assert len({payload[-1:] for _, _, payload in browser.rtp}) == 3
        continuous(browser)


def test_a_packet_is_sent_again_with_the_numbers_it_had() -> None:
    rig = Rig(media=MEDIA)
    camera = Camera(rig)
    camera.run(60)
    for rid in ("q", "f", "h"):
        rig.do(m.SelectLayer(PeerId("sub"), PUBLICATION, rid))
        camera.run(40)
    sent = {number: payload for _, number, payload in rig.subscriber.rtp}
    rig.subscriber.rtp.clear()
    wanted = list(sent)[-70:]
    rig.subscriber.send_rtcp(rtcp.Nack(1, rig.ssrc, wanted).serialize())
    rig.subscriber.take()
    again = {int.from_bytes(payload[:2], "big"): payload[2:] for kind, _, payload in rig.subscriber.rtp if kind == 97}
    assert again == {number: sent[number] for number in wanted}


def test_a_late_packet_from_before_a_change_keeps_the_old_numbering() -> None:
    rig = Rig(media=MEDIA)
    other, offer = rig.receiver("zoé", "other", ("198.51.100.7", 77))
    other.connect(offer)
    camera = Camera(rig)
    camera.run(60, rare="f")
    rig.do(m.SelectLayer(PeerId("other"), PUBLICATION, "q"))
    camera.run(30, rare="f")
    rig.do(m.SelectLayer(PeerId("other"), PUBLICATION, "f"))
    rig.tick()
    rig.subscriber.rtp.clear()
    late = camera.packet("f")
    rig.publisher.give(camera.packet("f", keyframe=True))
    rig.tick()
    rig.publisher.give(late)
    rig.tick()
    (_, first, key), (_, second, before) = rig.subscriber.rtp
    one, other_numbers = vp8.numbers(key), vp8.numbers(before)
    assert one is not None
    assert other_numbers is not None
    assert (second + 1) & 0xFFFF == first
    assert 0 < (one.picture - other_numbers.picture) & 0x7FFF < 16_384


class Reporter:
    """Reports as a receiver counts: what is missing among the numbers up to the highest one."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.got: set[int] = set()
        self.lost = 0

    def report(self, forget: float = 0.0) -> None:
        """Report, having lost a share of what arrived since the last time on the way as well."""
        numbers = sorted(number for _, number, _ in self.rig.subscriber.rtp)
        self.rig.subscriber.rtp.clear()
        kept = [number for position, number in enumerate(numbers) if (position * forget) % 1 + forget < 1 or not forget]
        before = max(self.got, default=numbers[0] - 1)
        missing = kept[-1] - before - len(kept)
        self.lost += missing
        self.got.update(kept)
        block = rtcp.ReportBlock(self.rig.ssrc, missing * 256 // (kept[-1] - before), self.lost, kept[-1], 0, 0, 0)
        self.rig.subscriber.send_rtcp(rtcp.ReceiverReport(1, [block]).serialize())


def test_loss_on_the_publishers_own_link_takes_no_layer_from_a_receiver_but_its_own_does() -> None:
    rig = Rig(media=MEDIA)
    camera, reporter = Camera(rig), Reporter(rig)
    camera.run(60)
    subscription = rig.engine._roster.subscribers[PeerId("sub")].subscriptions[PUBLICATION]
    give = rig.publisher.give
    for _ in range(10):
        count = 0

        def lossy(datagram: bytes, address: tuple[str, int] | None = None) -> None:
            nonlocal count
            count += 1
            if count % 4:
                give(datagram, address)

        rig.publisher.give = lossy  # type: ignore[method-assign]
        camera.run(30, rare="")
        rig.publisher.give = give  # type: ignore[method-assign]
        alive(rig)
        reporter.report()
    assert reporter.lost > 50
    assert subscription.lost_reported < 0.05
    assert subscription.ladder.step == 0
    for _ in range(2):
        camera.run(60, rare="")
        alive(rig)
        reporter.report(forget=0.25)
    assert subscription.lost_reported > 0.2
    assert subscription.ladder.step > 0
