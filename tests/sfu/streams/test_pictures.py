"""Picture numbers that go on over a switch of layers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.streams.pictures import PictureNumbering
from sfu.wire.payloads import vp8, vp9
from sfu.wire.payloads.pictures import PictureNumbers, renumber


def picture(number: int, tl0: int, body: bytes = b"\x10body") -> bytes:
    """Return a VP8 payload as libwebrtc writes it: 15-bit PictureID, TL0PICIDX, TID."""
    return b"\x90\xe0" + (0x8000 | number).to_bytes(2, "big") + bytes([tl0, 0x20]) + body


def numbers(number: int, tl0: int) -> PictureNumbers:
    found = vp8.numbers(picture(number, tl0))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("find", "payload", "expected"),
    [
        (vp8.numbers, "90e0c8d64520f008", (18_646, 15, 69)),
        (vp8.numbers, "90805510", (0x55, 7, 0)),
        (vp8.numbers, "1010", None),
        (vp8.numbers, "90e0c8d6", None),
        (vp9.numbers, "bfa374101000a000", (0x2374, 15, 0)),
        (vp9.numbers, "afa374100700a000", (0x2374, 15, 7)),
        (vp9.numbers, "9b95361002800168", (0x1536, 15, 0)),
        (vp9.numbers, "8c2a00", (0x2A, 7, 0)),
        (vp9.numbers, "0c00", None),
        (vp9.numbers, "bfa3", None),
    ],
)  # fmt: skip
def test_numbers_are_read_from_what_chromium_sends_and_from_shorter_forms(
    find: object, payload: str, expected: tuple[int, int, int] | None
) -> None:
    found = find(bytes.fromhex(payload))  # type: ignore[operator]
    assert (found and (found.picture, found.picture_bits, found.tl0)) == expected


@given(st.binary(min_size=1, max_size=30), st.integers(0, 0x7FFF), st.integers(0, 255))
def test_renumbering_there_and_back_gives_the_same_bytes(data: bytes, picture_offset: int, tl0_offset: int) -> None:
    for find in (vp8.numbers, vp9.numbers):
        found = find(data)
        if found is None:
            continue
        moved = renumber(data, found, picture_offset, tl0_offset)
        again = find(moved)
        assert again is not None
        assert renumber(moved, again, -picture_offset, -tl0_offset) == data


def test_nothing_changes_while_nobody_changes() -> None:
    numbering = PictureNumbering(vp8.numbers)
    payload = picture(100, 7)
    assert numbering.renumber(1, payload) is payload
    assert numbering.go_on(1, payload, []) is payload
    assert numbering.go_on(1, payload, [numbers(99, 6)]) is payload


def test_a_keyframe_is_the_next_picture_after_what_was_seen() -> None:
    numbering = PictureNumbering(vp8.numbers)
    begun = numbering.go_on(50, numbering.renumber(50, picture(100, 7)), [numbers(20_000, 200)])
    assert begun == picture(20_001, 201)
    assert numbering.renumber(51, picture(100, 7)) == picture(20_001, 201)
    assert numbering.renumber(52, picture(101, 8)) == picture(20_002, 202)
    assert numbering.renumber(49, picture(99, 6)) == picture(99, 6), "a late one belongs to what was before"


def test_numbers_wrap() -> None:
    numbering = PictureNumbering(vp8.numbers)
    numbering.go_on(50, picture(32_000, 250), [numbers(0x7FFF, 255)])
    assert numbering.renumber(50, picture(32_000, 250)) == picture(0, 0)
    assert numbering.renumber(51, picture(32_001, 251)) == picture(1, 1)


def test_it_is_ahead_of_everybody_who_changes() -> None:
    numbering = PictureNumbering(vp8.numbers)
    seen = [numbers(100, 1), numbers(300, 3), numbers(200, 2)]
    assert numbering.go_on(9, picture(5, 5), seen) == picture(301, 5)
    assert numbering.go_on(10, picture(6, 0), []) == picture(6, 0)


def test_stretches_follow_each_other() -> None:
    numbering = PictureNumbering(vp8.numbers)
    for step in range(10):
        index = 100 * step
        numbering.go_on(index, numbering.renumber(index, picture(step, step)), [numbers(1000 * step + 500, 10 * step)])
        found = vp8.numbers(numbering.renumber(index + 1, picture(step + 1, step)))
        assert found is not None
        assert found.picture == 1000 * step + 502
    assert len(numbering._stretches) <= 4


def test_an_endless_hearing_with_a_change_every_minute_never_goes_back() -> None:
    """Two layers at different picture rates; the receiver changes between them, and sees numbers only go on."""
    layers = [PictureNumbering(vp8.numbers), PictureNumbering(vp8.numbers)]
    rates, at, own = (30, 17), [0, 0], [18_646, 18_646]
    seen: PictureNumbers | None = None
    for minute in range(60):
        now = minute % 2
        for position, layer in enumerate(layers):
            for step in range(0, rates[position] * 60, 7):
                index, number = at[position] + step, own[position] + step
                payload = layer.renumber(index, picture(number & 0x7FFF, number // 4 & 255))
                if step == 0 and position == now and seen is not None:
                    payload = layer.go_on(index, payload, [seen])
                if position == now:
                    found = vp8.numbers(payload)
                    assert found is not None
                    if seen is not None:
                        assert 0 < (found.picture - seen.picture) & 0x7FFF <= 16
                        assert (found.tl0 - seen.tl0) & 255 <= 4
                    seen = found
            at[position] += rates[position] * 60
            own[position] += rates[position] * 60
