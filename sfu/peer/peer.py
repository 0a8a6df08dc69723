"""One browser's transport: ICE-lite, DTLS and SRTP together, bytes in and bytes out.

The order of things is a matter of security (docs/architecture.md): an address counts only after an authenticated STUN
request came from it; DTLS is taken only from such an address; keys exist only after the fingerprint of the
certificate matched the one from signaling; and only then is there SRTP.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from control.ids import PeerId
from sfu.congestion.allowance import Allowance
from sfu.congestion.sent import SentLog
from sfu.errors import MalformedPacketError, NegotiationError
from sfu.machines.certificate import Certificate
from sfu.machines.dtls import DtlsEndpoint, FingerprintError
from sfu.machines.ice_lite import IceLite
from sfu.machines.negotiation import RemoteTransport
from sfu.machines.srtp import SrtpReceiver, SrtpSender
from sfu.units import Address

Reason = Literal["consent_expired", "connect_timeout", "dtls_closed", "fingerprint_mismatch"]

CONNECT_TIMEOUT_S = 30.0
"""A peer that is not connected by then is given up."""

MAX_EARLY_DATAGRAMS = 8
"""DTLS datagrams kept while the remote fingerprint is not known yet (a ClientHello may overtake the SDP answer)."""

HOLD_S = 8.0
"""An address belongs to the peer that proved it for so long after the latest check; browsers check every 2.5 s."""

RTCP_PER_S = 1000
"""SRTCP packets taken from one peer: 25 received tracks that all lose packets make some hundred NACKs a second."""


@dataclass(slots=True, frozen=True)
class Connected:
    """Keys are there; media may flow."""

    srtp_profile: str


@dataclass(slots=True, frozen=True)
class Closed:
    """It is over; `reason` is a stable word."""

    reason: Reason


Event = Connected | Closed


class Peer:
    """The transport of one browser.

    After every input, take `datagrams_to_send` and `events`.
    """

    def __init__(
        self,
        peer: PeerId,
        *,
        ufrag: str,
        password: str,
        certificate: Certificate,
        random_bytes: Callable[[int], bytes],
        now: float,
        consent_timeout_s: float = 15.0,
    ) -> None:
        self.id = peer
        self.ufrag = ufrag
        self.password = password
        self.ufrags = {ufrag}
        """Ours, under which checks may come."""
        self._certificate = certificate
        self._ice = IceLite(ufrag, password, random_bytes)
        self._next_ice: IceLite | None = None
        """After a restart, until its first check came: the old session goes on until then."""
        self._consent_timeout_s = consent_timeout_s
        self._dtls: DtlsEndpoint | None = None
        self._early: list[bytes] = []
        self._fingerprints: list[tuple[str, str]] = []
        self._is_dtls_client = False
        self._has_remote = False
        self._out: list[tuple[bytes, Address]] = []
        self._events: list[Event] = []
        self._deadline = now + CONNECT_TIMEOUT_S
        self.address: Address | None = None
        """Where to send; follows the browser when it changes its network (RFC 8445 section 7.3.1.4)."""
        self.addresses: dict[Address, float] = {}
        """Addresses from which an authenticated request came, and when the latest one did."""
        self.sender: SrtpSender | None = None
        self.receiver: SrtpReceiver | None = None
        self.rtcp = Allowance(RTCP_PER_S, 1.0)
        """How many SRTCP packets are taken."""
        self.closed = False
        self.bytes_sent = 0
        self.log: SentLog | None = None
        """What was sent under transport-wide sequence numbers; None towards who gives no feedback."""
        self.sequence_extension = 0
        """Id of the header extension that carries them."""
        self.probe = 0
        """Number of the probe cluster that leaves now; 0 for none."""

    @property
    def connected(self) -> bool:
        """Whether SRTP keys are there."""
        return self.sender is not None and not self.closed

    def set_remote(self, remote: RemoteTransport) -> None:
        """Give what the remote description says of its transport.

        Raises NegotiationError when a later description announces another certificate than the first one.
        """
        if self._has_remote and remote.fingerprints != self._fingerprints:
            raise NegotiationError("sdp_fingerprint_changed", "another certificate needs another transport")
        self._ice.remote_ufrag = remote.ufrag
        self._ice.remote_password = remote.password
        if self._has_remote:
            return
        self._has_remote = True
        self._fingerprints = remote.fingerprints
        self._is_dtls_client = remote.is_dtls_server
        if self._is_dtls_client:
            self._begin_as_client()
            return
        self._dtls = DtlsEndpoint(self._certificate, role="server", remote_fingerprints=remote.fingerprints)
        early, self._early = self._early, []
        for data in early:
            self.receive_dtls(data)

    def restart_ice(self, ufrag: str, password: str, remote_ufrag: str, remote_password: str) -> set[str]:
        """Take new credentials for both ends; DTLS, keys and media go on (RFC 8445 section 9).

        Returns our earlier ufrags that are good no more. The one in use is, until the first check with the new one.
        """
        self.ufrag, self.password = ufrag, password
        self._next_ice = self._ice.restarted(ufrag, password, remote_ufrag, remote_password)
        good = {self._ice.local_ufrag, ufrag}
        stale, self.ufrags = self.ufrags - good, good
        return stale

    def holds(self, address: Address, now: float) -> bool:
        """Return whether an address is this peer's and no other's: it proved it a short time ago."""
        return not self.closed and now - self.addresses.get(address, float("-inf")) < HOLD_S

    def receive_stun(self, data: bytes, address: Address, now: float) -> bool:
        """Take a STUN datagram; return False for anything but an authenticated Binding message: it has no effect."""
        before = self._ice.selected
        replies = None
        if self._next_ice is not None:
            replies = self._next_ice.receive(data, address, now)
            if replies is not None:
                self._ice, self._next_ice = self._next_ice, None
        if replies is None:
            replies = self._ice.receive(data, address, now)
        if replies is None:
            return False
        self.addresses[address] = now
        self._out += [(reply, address) for reply in replies]
        selected = self._ice.selected
        if selected is not None and selected != before:
            self.address = selected
            self._begin_as_client()
            self._flush_dtls()
        return True

    def receive_dtls(self, data: bytes) -> bool:
        """Take a DTLS datagram that came from one of `addresses`; return False for one that has no effect."""
        dtls = self._dtls
        if dtls is None:
            if len(self._early) < MAX_EARLY_DATAGRAMS:
                self._early.append(data)
            return True
        taken = True
        try:
            dtls.receive(data)
        except FingerprintError:
            self._close("fingerprint_mismatch")
            return True
        except MalformedPacketError:
            taken = False
        self._flush_dtls()
        if dtls.connected and self.sender is None:
            keys = dtls.srtp_keys
            self.sender = SrtpSender(keys.profile, keys.local_key, keys.local_salt)
            self.receiver = SrtpReceiver(keys.profile, keys.remote_key, keys.remote_salt)
            self._ice.settled = True
            self._events.append(Connected(keys.profile.name))
        elif dtls.closed:
            self._close("dtls_closed")
        return taken

    def send(self, datagram: bytes) -> None:
        """Queue a ready datagram (SRTCP) to the peer's address."""
        if self.address is not None:
            self._out.append((datagram, self.address))

    def handle_timeout(self, now: float) -> None:
        """Look after what time brings: consent (RFC 7675), lost DTLS flights, a peer that never came."""
        if self.closed:
            return
        if self.sender is None and now > self._deadline:
            self._close("connect_timeout")
        elif self.sender is not None and self._ice.expired(now, self._consent_timeout_s):
            self._close("consent_expired")
        elif self._dtls is not None and self.sender is None:
            self._dtls.handle_timeout(now)
            self._flush_dtls()

    def close(self) -> None:
        """End the transport from our side, telling the browser (DTLS close_notify)."""
        if self._dtls is not None and not self.closed:
            self._dtls.close()
            self._flush_dtls()
        self.closed = True

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Return and forget what is to be sent."""
        out, self._out = self._out, []
        return out

    def events(self) -> list[Event]:
        """Return and forget what happened."""
        events, self._events = self._events, []
        return events

    def _begin_as_client(self) -> None:
        """Send the ClientHello, if that is our part, once an authenticated request has told where to."""
        if self._is_dtls_client and self._dtls is None and self.address is not None:
            self._dtls = DtlsEndpoint(self._certificate, role="client", remote_fingerprints=self._fingerprints)
            self._flush_dtls()

    def _flush_dtls(self) -> None:
        if self._dtls is None or self.address is None:
            return
        for datagram in self._dtls.datagrams_to_send():
            self._out.append((datagram, self.address))

    def _close(self, reason: Reason) -> None:
        if not self.closed:
            self.closed = True
            self._flush_dtls()
            self._events.append(Closed(reason))
