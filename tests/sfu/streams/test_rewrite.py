"""Numbers stay continuous over a switch of layers."""

from sfu.streams.rewrite import Rewriter


def test_a_switch_continues_sequence_numbers_and_advances_time() -> None:
    rewriter = Rewriter(first_index=100, first_timestamp=5000)
    first = rewriter.switch("high", index=70_000, timestamp=1, elapsed_ticks=0)
    assert 70_000 + first.index_offset == 100
    assert (1 + first.timestamp_offset) & 0xFFFFFFFF == 5000
    rewriter.last_index, rewriter.last_timestamp = 120, 9000
    second = rewriter.switch("low", index=3, timestamp=4_000_000_000, elapsed_ticks=3000)
    assert 3 + second.index_offset == 121
    assert (4_000_000_000 + second.timestamp_offset) & 0xFFFFFFFF == 12_000


def test_a_retransmission_request_finds_the_layer_the_packet_came_from() -> None:
    rewriter = Rewriter(first_index=100, first_timestamp=0)
    rewriter.switch("high", index=1000, timestamp=0, elapsed_ticks=0)
    rewriter.last_index = 109
    rewriter.switch("low", index=50, timestamp=0, elapsed_ticks=1)
    origin = rewriter.origin(105)
    assert origin is not None
    assert (origin[0].source, origin[1]) == ("high", 1005)
    origin = rewriter.origin(112)
    assert origin is not None
    assert (origin[0].source, origin[1]) == ("low", 52)
    assert rewriter.origin(99) is None
