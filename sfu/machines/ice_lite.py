"""The ICE-lite side of one transport (RFC 8445 section 2.5) and its consent (RFC 7675).

Only Binding requests with a right MESSAGE-INTEGRITY are answered; everything else is met with silence, so that
nothing can be reflected off this port and nothing is remembered of a stranger.

An old request that somebody recorded and sends again from elsewhere is as authentic as the first time. So, once media
flows, a nominated address is followed only after it has answered a check of ours, which no recording can do.
"""

import hmac
from collections.abc import Callable

from sfu.errors import MalformedPacketError
from sfu.units import Address
from sfu.wire import stun

MAX_TRANSACTIONS = 64
"""Requests remembered to tell a retransmission from a recording that comes from elsewhere."""
MAX_PROOFS = 4
"""Addresses being checked at the same time."""
PROOF_INTERVAL_S = 0.05
"""The same address is not checked more often."""
PRIORITY = (110 << 24 | 65_535 << 8 | 255).to_bytes(4, "big")
"""Of a peer-reflexive candidate (RFC 8445 section 5.1.2.1)."""


def ufrag_of(data: bytes) -> str | None:
    """Return the local ufrag that a Binding message is meant for (its USERNAME up to the colon), or None.

    Nothing is authenticated yet; this is the look-up key of the worker's table.
    """
    try:
        message = stun.parse(data)
    except MalformedPacketError:
        return None
    username = message.attributes.get(stun.USERNAME)
    if message.message_type != stun.BINDING_REQUEST or username is None:
        return None
    local, colon, _ = username.partition(b":")
    return local.decode("ascii", "replace") if colon else None


class IceLite:
    """Answers checks; tells which address the browser chose."""

    def __init__(self, local_ufrag: str, local_password: str, random_bytes: Callable[[int], bytes]) -> None:
        self._ufrag = local_ufrag.encode()
        self._password = local_password.encode()
        self._random_bytes = random_bytes
        self._tie_breaker = random_bytes(8)
        self.remote_ufrag: str | None = None
        self.remote_password = ""
        self.selected: Address | None = None
        """The latest nominated address, or the first one that was checked."""
        self.settled = False
        """Whether media flows: the address is then moved only after the new one has proved itself."""
        self._nominated = False
        self._checked_at: float | None = None
        self._transactions: dict[bytes, Address] = {}
        self._proofs: dict[Address, tuple[bytes, float]] = {}

    @property
    def local_ufrag(self) -> str:
        """Ours."""
        return self._ufrag.decode()

    def restarted(self, local_ufrag: str, local_password: str, remote_ufrag: str, remote_password: str) -> "IceLite":
        """Return the next ICE session of the same transport (RFC 8445 section 9): new credentials, the same address."""
        made = IceLite(local_ufrag, local_password, self._random_bytes)
        made.remote_ufrag, made.remote_password = remote_ufrag, remote_password
        made.selected, made.settled = self.selected, self.settled
        return made

    def receive(self, data: bytes, address: Address, now: float) -> list[bytes] | None:
        """Take a datagram; return what is to be sent back to this address, or None for what is not authentic."""
        try:
            message = stun.parse(data)
        except MalformedPacketError:
            return None
        if message.message_type == stun.BINDING_SUCCESS:
            return [] if self._proves(data, message, address, now) else None
        attributes = message.attributes
        if message.message_type != stun.BINDING_REQUEST or stun.USERNAME not in attributes:
            return None
        local, _, remote = attributes[stun.USERNAME].partition(b":")
        if not hmac.compare_digest(local, self._ufrag):
            return None
        if self.remote_ufrag is not None and remote != self.remote_ufrag.encode():
            return None
        if not stun.has_integrity(data, message, self._password):
            return None
        if self._transactions.setdefault(message.transaction_id, address) != address:
            return None  # a recording
        if len(self._transactions) > MAX_TRANSACTIONS:
            del self._transactions[next(iter(self._transactions))]
        mapped = stun.xor_address(address, message.transaction_id)
        out = [
            stun.serialize(
                stun.BINDING_SUCCESS, message.transaction_id, [(stun.XOR_MAPPED_ADDRESS, mapped)], self._password
            )
        ]
        if stun.USE_CANDIDATE in attributes:
            if self.settled and address != self.selected:
                out += self._challenge(address, now)
            else:
                self._nominated = True
                self.selected = address
        elif self.selected is None:
            self.selected = address
        if address == self.selected or not self._nominated:
            self._checked_at = now
        return out

    def expired(self, now: float, timeout_s: float) -> bool:
        """Return whether the address in use was silent for so long that sending must stop (RFC 7675 section 5.1)."""
        return self._checked_at is not None and now - self._checked_at > timeout_s

    def _challenge(self, address: Address, now: float) -> list[bytes]:
        """Return a check of ours to an address that says it is the new one."""
        transaction, asked_at = self._proofs.get(address) or (self._random_bytes(12), float("-inf"))
        if now - asked_at < PROOF_INTERVAL_S:
            return []
        self._proofs[address] = transaction, now
        if len(self._proofs) > MAX_PROOFS:
            del self._proofs[next(iter(self._proofs))]
        attributes = [
            (stun.USERNAME, f"{self.remote_ufrag}:".encode() + self._ufrag),
            (stun.PRIORITY, PRIORITY),
            (stun.ICE_CONTROLLED, self._tie_breaker),
        ]
        return [stun.serialize(stun.BINDING_REQUEST, transaction, attributes, self.remote_password.encode())]

    def _proves(self, data: bytes, message: stun.StunMessage, address: Address, now: float) -> bool:
        """Follow the browser to an address that has answered our check."""
        transaction, _ = self._proofs.get(address, (None, 0.0))
        if transaction != message.transaction_id:
            return False
        if not stun.has_integrity(data, message, self.remote_password.encode()):
            return False
        self._proofs.clear()
        self._nominated = True
        self.selected = address
        self._checked_at = now
        return True
