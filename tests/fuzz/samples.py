"""Good packets to begin with, and what happens to them on the way."""

from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st

FIXTURES = Path(__file__).parents[1] / "fixtures"


def fixture(name: str) -> bytes:
    """Return captured bytes; NAME.txt beside them says what they are."""
    return (FIXTURES / f"{name}.bin").read_bytes()


def mutated(samples: list[bytes]) -> st.SearchStrategy[bytes]:
    """A sample with a few bytes changed, cut or added."""

    def mutate(sample: bytes, changes: list[tuple[int, int]], cut: int, tail: bytes) -> bytes:
        data = bytearray(sample)
        for position, value in changes:
            data[position % len(data)] = value
        return bytes(data[: max(1, len(data) - cut)]) + tail

    change = st.lists(st.tuples(st.integers(0, 1499), st.integers(0, 255)), max_size=6)
    return st.builds(mutate, st.sampled_from(samples), change, st.integers(0, 40), st.binary(max_size=20))


def damaged(sample: bytes) -> Iterator[bytes]:
    """Return the sample cut at every byte, then with every single bit flipped."""
    for length in range(len(sample)):
        yield sample[:length]
    for position in range(len(sample)):
        for bit in range(8):
            yield sample[:position] + bytes([sample[position] ^ 1 << bit]) + sample[position + 1 :]
