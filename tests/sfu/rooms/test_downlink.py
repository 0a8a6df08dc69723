"""A receiver whose link is narrow gets the layer that fits, by its own feedback, from the real engine."""

from control import messages as m
from control.ids import PeerId
from sfu.wire import rtcp, twcc
from tests.sfu.rooms.rig import DELTA, PUBLICATION, Rig
from tests.sfu.rooms.test_layer_switch import MEDIA, Camera, alive, continuous

SIZES = {"q": 150, "h": 500, "f": 1100}
"""About 50, 130 and 280 kbit/s with headers at 30 pictures a second."""
DELAY_S = 0.03
QUEUE_S = 0.3


class Path(Rig):
    """A room whose receiver sits behind a link of `capacity_bps`, and says what arrived every 50 ms."""

    def __init__(self, capacity_bps: float) -> None:
        self.capacity_bps = capacity_bps
        self.free_at = 0.0
        self.arrivals: dict[int, int] = {}
        self.told_at = 0.0
        self.begin = 1
        self.messages = 0
        self.sent = self.lost = 0
        super().__init__(media=MEDIA, feedback=True)

    def tick(self, seconds: float = 0.05) -> None:
        super().tick(seconds)
        for number, size in self.subscriber.sequences:
            self.sent += 1
            start = max(self.now, self.free_at)
            if start - self.now > QUEUE_S:
                self.lost += 1
                continue
            self.free_at = start + size * 8 / self.capacity_bps
            self.arrivals[number] = int((self.free_at + DELAY_S) * 1e6)
        self.subscriber.sequences.clear()
        if self.now - self.told_at >= 0.05:
            self.told_at = self.now
            due = {number: at for number, at in self.arrivals.items() if at <= self.now * 1e6}
            for number in due:
                del self.arrivals[number]
            if due:
                first, self.begin = self.begin, max(due) + 1
                self.subscriber.send_rtcp(twcc.build(1, self.ssrc, self.messages & 0xFF, first, due))
                self.messages += 1

    def probe(self) -> None:
        """Let time pass as finely as the engine wants it while it looks for bandwidth."""
        while self.engine.patience_s < 0.01:
            self.tick(self.engine.patience_s)


def watch(path: Path, camera: Camera, seconds: float) -> set[bytes]:
    """Let somebody watch; return the layers seen in the last two seconds."""
    for step in range(round(seconds * 10)):
        if step == round((seconds - 2) * 10):
            path.subscriber.rtp.clear()
        camera.run(3, rare="")
        path.probe()
        if step % 20 == 0:
            alive(path)
    return {payload[-1:] for payload_type, _, payload in path.subscriber.rtp if payload_type == 96}


def test_a_wide_link_gets_the_best_layer_soon_and_a_narrow_one_what_fits() -> None:
    for capacity_bps, layers in ((5_000_000, {b"f"}), (220_000, {b"h"}), (90_000, {b"q"})):
        path = Path(capacity_bps)
        assert watch(path, Camera(path, SIZES), 20) == layers, capacity_bps


def test_a_link_that_becomes_narrow_and_wide_again_is_followed_and_the_stream_goes_on() -> None:
    path = Path(2_000_000)
    camera = Camera(path, SIZES)
    assert watch(path, camera, 8) == {b"f"}
    path.capacity_bps = 110_000
    before = path.sent, path.lost
    assert watch(path, camera, 15) == {b"q"}
    assert path.lost - before[1] < 0.1 * (path.sent - before[0])
    path.capacity_bps = 2_000_000
    assert watch(path, camera, 25) == {b"f"}
    path.subscriber.rtp = [packet for packet in path.subscriber.rtp if packet[0] == 96]
    continuous(path.subscriber)


def test_a_wish_is_followed_at_once_however_often_it_changes() -> None:
    path = Path(5_000_000)
    camera = Camera(path, SIZES)
    watch(path, camera, 5)
    for rid in ("q", "f", "q", "h", "q", "f", "q", "f"):
        path.do(m.SelectLayer(PeerId("sub"), PUBLICATION, rid))
        assert watch(path, camera, 4) == {rid.encode()}


def test_transport_sequence_numbers_go_on_over_media_and_retransmissions() -> None:
    rig = Rig(feedback=True)
    rig.keyframe()
    for index in range(102, 110):
        rig.publisher.send_rtp(index, 9000, DELTA + bytes(500))
    rig.tick()
    newest = rig.subscriber.rtp[-1][1]
    rig.subscriber.send_rtcp(rtcp.Nack(1, rig.ssrc, [newest - 3, newest - 1]).serialize())
    rig.tick()
    assert [payload_type for payload_type, *_ in rig.subscriber.rtp[-2:]] == [97, 97]
    numbers = [number for number, _ in rig.subscriber.sequences]
    assert numbers == list(range(1, len(numbers) + 1))


def test_feedback_that_makes_no_sense_is_counted_and_changes_nothing() -> None:
    rig = Rig(feedback=True)
    rig.keyframe()
    for body in (b"", bytes(8), b"\xff" * 40):
        size = (8 + len(body)) // 4
        packet = bytes([0x8F, 205]) + size.to_bytes(2, "big") + bytes(8) + body
        rig.subscriber.send_rtcp(packet)
    rig.publisher.send_rtp(102, 9000, DELTA)
    rig.tick()
    assert rig.refused("malformed") >= 1
    assert rig.subscriber.rtp[-1][2] == DELTA


def test_a_receiver_that_did_not_accept_the_extension_gets_none() -> None:
    rig = Rig()
    rig.keyframe()
    assert rig.subscriber.rtp
    assert rig.subscriber.sequences == []


def test_who_has_no_room_for_any_picture_is_told_so_and_told_when_there_is_again() -> None:
    path = Path(2_000_000)
    camera = Camera(path, SIZES)
    watch(path, camera, 5)
    path.engine.notices()
    path.capacity_bps = 12_000
    assert watch(path, camera, 12) == set()
    path.capacity_bps = 2_000_000
    assert watch(path, camera, 60) == {b"f"}
    told = [notice.paused for notice in path.engine.notices() if isinstance(notice, m.SubscriptionChanged)]
    assert told[0]
    assert not told[-1]
