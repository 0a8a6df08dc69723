"""The ICE-lite side of one transport (RFC 8445 section 2.5) and its consent (RFC 7675).

Only Binding requests with a right MESSAGE-INTEGRITY are answered; everything else is met with silence, so that
nothing can be reflected off this port and nothing is remembered of a stranger.
"""

import hmac

from sfu.errors import MalformedPacketError
from sfu.units import Address
from sfu.wire import stun


def ufrag_of(data: bytes) -> str | None:
    """Return the local ufrag that a Binding request is meant for (its USERNAME up to the colon), or None.

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

    def __init__(self, local_ufrag: str, local_password: str) -> None:
        self._ufrag = local_ufrag.encode()
        self._password = local_password.encode()
        self.remote_ufrag: str | None = None
        self.selected: Address | None = None
        """The latest nominated address, or the first one that was checked."""
        self._nominated = False
        self._checked_at: float | None = None

    def receive(self, data: bytes, address: Address, now: float) -> list[bytes]:
        """Take a datagram; return the answer to it, if it deserves one."""
        try:
            message = stun.parse(data)
        except MalformedPacketError:
            return []
        attributes = message.attributes
        if message.message_type != stun.BINDING_REQUEST or stun.USERNAME not in attributes:
            return []
        local, _, remote = attributes[stun.USERNAME].partition(b":")
        if not hmac.compare_digest(local, self._ufrag):
            return []
        if self.remote_ufrag is not None and remote != self.remote_ufrag.encode():
            return []
        if not stun.has_integrity(data, message, self._password):
            return []
        self._checked_at = now
        if stun.USE_CANDIDATE in attributes:
            self._nominated = True
            self.selected = address
        elif self.selected is None or not self._nominated:
            self.selected = self.selected or address
        mapped = stun.xor_address(address, message.transaction_id)
        answer = stun.serialize(
            stun.BINDING_SUCCESS, message.transaction_id, [(stun.XOR_MAPPED_ADDRESS, mapped)], self._password
        )
        return [answer]

    def expired(self, now: float, timeout_s: float) -> bool:
        """Return whether no authenticated check came for so long that sending must stop (RFC 7675 section 5.1)."""
        return self._checked_at is not None and now - self._checked_at > timeout_s
