"""Reading the headers of video frames bit by bit: fixed fields and the variable-length codes of H.264 and AV1."""

from sfu.errors import MalformedPacketError

MAX_GOLOMB_BITS = 32


class BitReader:
    """A cursor over bytes. Every method raises MalformedPacketError when the data ends before the field."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes) -> None:
        self._data = int.from_bytes(data, "big")
        self._end = len(data) * 8
        self._at = 0

    def bits(self, count: int) -> int:
        """Return the next `count` bits as an unsigned number."""
        self._at += count
        if self._at > self._end:
            raise MalformedPacketError("a frame header is cut short")
        return (self._data >> (self._end - self._at)) & ((1 << count) - 1)

    def flag(self) -> bool:
        """Return the next bit."""
        return self.bits(1) == 1

    def unsigned_golomb(self) -> int:
        """Return an Exp-Golomb number: ue(v) of H.264 section 9.1, uvlc() of AV1 section 4.10.3."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > MAX_GOLOMB_BITS:
                raise MalformedPacketError("an Exp-Golomb number is longer than 32 bits")
        return (1 << zeros) - 1 + self.bits(zeros)

    def signed_golomb(self) -> int:
        """Return a signed Exp-Golomb number: se(v) of H.264 section 9.1.1."""
        code = self.unsigned_golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)
