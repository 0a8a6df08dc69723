"""Recent packets of one published layer, shared by everything that looks back: retransmission and late pipes."""

Packet = tuple[int, int, int, bytes]
"""One RTP packet as the router holds it: packet index (unwrapped sequence number), RTP timestamp (32 bits), first
16 bits of the header without the payload type (version, padding, marker), payload with its padding."""


class PacketStore:
    """A ring of the last `size` packets, by packet index.

    Payloads are kept by reference, not copied; one store serves every subscriber of the layer.
    """

    __slots__ = ("_mask", "_ring")

    def __init__(self, size: int = 1024) -> None:
        if size & (size - 1):
            raise ValueError("the size of a packet store is a power of two")
        self._mask = size - 1
        self._ring: list[Packet | None] = [None] * size

    def add(self, packet: Packet) -> None:
        """Keep a packet; it replaces the one that is `size` older."""
        self._ring[packet[0] & self._mask] = packet

    def get(self, index: int) -> Packet | None:
        """Return the packet with this index if it is still here."""
        packet = self._ring[index & self._mask]
        return packet if packet is not None and packet[0] == index else None

    def __contains__(self, index: int) -> bool:
        packet = self._ring[index & self._mask]
        return packet is not None and packet[0] == index
