"""DTLS 1.2 over memory, for its keys (RFC 5764): bytes in, bytes out.

OpenSSL reads its own clock for retransmission, the one exception to "time is an argument" in the media plane's cores;
`handle_timeout` merely gives it the occasion.
"""

from __future__ import annotations

from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.x509 import Certificate as Certificate509
from OpenSSL import SSL
from OpenSSL.crypto import X509

from sfu.errors import MalformedPacketError, SfuError
from sfu.machines.certificate import Certificate
from sfu.machines.srtp import PROFILES, SrtpKeys, keys_from_exporter

DTLS_1_2 = 0xFEFD
MAX_DATAGRAM = 1200
RECORD_HEADER = 13
OUR_PROFILES = tuple(profile.openssl_name for profile in PROFILES)
MAX_RESTARTS = 200
"""How often a server begins again after records that it cannot take and has not answered; each time costs 0.1 ms."""
ALERT, HANDSHAKE = 21, 22
MAX_HELLO = 8192
CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha-256": hashes.SHA256,
    "sha-384": hashes.SHA384,
    "sha-512": hashes.SHA512,
}


class FingerprintError(SfuError):
    """The peer's certificate is not the one that signaling announced: no keys, the end (RFC 5763 section 5)."""


class DtlsEndpoint:
    """One handshake. `srtp_keys` exists once `connected`, and only after the fingerprint matched."""

    def __init__(
        self,
        certificate: Certificate,
        *,
        role: Literal["server", "client"] = "server",
        remote_fingerprints: list[tuple[str, str]],
        profiles: tuple[bytes, ...] = OUR_PROFILES,
    ) -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(DTLS_1_2)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._verify)
        context.use_certificate(certificate.certificate)
        context.use_privatekey(certificate.key)
        context.set_cipher_list(CIPHERS)
        context.set_tlsext_use_srtp(b":".join(profiles))
        context.set_options(SSL.OP_NO_RENEGOTIATION)
        self._context = context
        self._role = role
        self._fingerprints = remote_fingerprints
        self._out: list[bytes] = []
        self._keys: SrtpKeys | None = None
        self._restarts = 0
        self._is_stranger = False
        self._has_answered = False
        self._hello_length: int | None = None
        """Length of the ClientHello whose fragments OpenSSL is putting together."""
        self.closed = False
        self._connection = self._begin()
        if role == "client":
            self._handshake()

    @property
    def connected(self) -> bool:
        """Whether keys are there."""
        return self._keys is not None

    @property
    def srtp_keys(self) -> SrtpKeys:
        """The SRTP keys; raises SfuError before the handshake is done."""
        if self._keys is None:
            raise SfuError("the DTLS handshake is not done")
        return self._keys

    def receive(self, datagram: bytes) -> None:
        """Take one datagram. Raises MalformedPacketError for what is no DTLS, FingerprintError for a stranger."""
        if self.closed:
            return
        if not _looks_like_dtls(datagram):
            raise MalformedPacketError("not DTLS records")
        if self._keys is None and datagram[0] == ALERT:
            raise MalformedPacketError("an alert that anybody could have sent")
        if self._keys is None:
            self._receive_handshake(datagram)
            return
        self._connection.bio_write(datagram)
        try:
            while True:  # a datagram may hold several records; what is not read stays in memory
                self._connection.recv(2048)
        except SSL.WantReadError:
            pass
        except (SSL.ZeroReturnError, SSL.SysCallError):
            self.closed = True
        except SSL.Error as error:
            raise MalformedPacketError("DTLS record that cannot be read") from error
        self._collect()

    def handle_timeout(self, now: float) -> None:
        """Send a lost flight again when OpenSSL finds it is time."""
        del now
        if not self.closed and self._keys is None:
            try:
                self._connection.DTLSv1_handle_timeout()
            except SSL.Error:
                self.closed = True
            self._collect()

    def close(self) -> None:
        """Say goodbye (close_notify)."""
        if not self.closed:
            try:
                self._connection.shutdown()
            except SSL.Error:
                pass
            self._collect()
            self.closed = True

    def datagrams_to_send(self) -> list[bytes]:
        """Return and forget what is to be sent, each at most 1,200 bytes, cut at record borders."""
        out, self._out = self._out, []
        return out

    def _receive_handshake(self, datagram: bytes) -> None:
        """Take a datagram before there are keys.

        Anybody who can forge the browser's address can send bad records in the clear. What is bad before our first
        flight is forgotten, silently and without an alert: the browser's good ClientHello is still on its way.
        """
        if self._role == "server" and not self._has_answered:
            length = _client_hello_length(datagram)
            if length is None:
                raise MalformedPacketError("not a ClientHello")
            if length != self._hello_length and self._hello_length is not None:
                self._begin_again()
            self._hello_length = length
        self._connection.bio_write(datagram)
        try:
            self._handshake()
        except MalformedPacketError:
            if self._role == "server" and not self._has_answered:
                self._begin_again()
            else:
                self._collect()
                self.closed = True
            raise

    def _begin_again(self) -> None:
        self._restarts += 1
        self._connection = self._begin()
        self.closed = self._restarts > MAX_RESTARTS

    def _begin(self) -> SSL.Connection:
        connection = SSL.Connection(self._context)
        connection.set_ciphertext_mtu(MAX_DATAGRAM)
        if self._role == "server":
            connection.set_accept_state()
        else:
            connection.set_connect_state()
        self._hello_length = None
        return connection

    def _handshake(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._collect()
            return
        except SSL.Error as error:
            if self._is_stranger:
                self._collect()
                self.closed = True
                raise FingerprintError("the certificate is not the announced one") from error
            raise MalformedPacketError("the DTLS handshake failed") from error
        self._collect()
        if not self._is_announced(self._connection.get_peer_certificate(as_cryptography=True)):
            self.closed = True
            raise FingerprintError("the certificate is not the announced one")
        selected = self._connection.get_selected_srtp_profile()
        profile = next((p for p in PROFILES if p.openssl_name == selected), None)
        if profile is None:
            self.closed = True
            raise MalformedPacketError("no SRTP profile in common")
        material = self._connection.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_bytes + profile.salt_bytes)
        )
        self._keys = keys_from_exporter(profile, material, is_server=self._role == "server")

    def _verify(self, _connection: SSL.Connection, certificate: X509, _error: int, depth: int, _ok: int) -> bool:
        """Let OpenSSL go on only with the announced certificate; its issuers say nothing here."""
        if depth == 0 and not self._is_announced(certificate.to_cryptography()):
            self._is_stranger = True
        return not self._is_stranger

    def _is_announced(self, certificate: Certificate509 | None) -> bool:
        """Return whether a certificate has every announced fingerprint of a hash that we know, and one at least."""
        known = [(_HASHES[name], value) for name, value in self._fingerprints if name in _HASHES]
        return (
            certificate is not None
            and bool(known)
            and all(certificate.fingerprint(made()).hex(":").upper() == value.upper() for made, value in known)
        )

    def _collect(self) -> None:
        """Take what OpenSSL wants to send; a memory BIO forgets datagram borders, records remember."""
        flight = b""
        while True:
            try:
                flight += self._connection.bio_read(65_536)
            except SSL.WantReadError:
                break
        self._has_answered = self._has_answered or bool(flight)
        start = position = 0
        while position + RECORD_HEADER <= len(flight):
            end = position + RECORD_HEADER + int.from_bytes(flight[position + 11 : position + 13], "big")
            if end - start > MAX_DATAGRAM and position > start:
                self._out.append(flight[start:position])
                start = position
            position = end
        if start < len(flight):
            self._out.append(flight[start:])


def _looks_like_dtls(datagram: bytes) -> bool:
    """Return whether the datagram is whole DTLS records (RFC 6347 section 4.1) of types and versions in use."""
    position = 0
    while position < len(datagram):
        if position + RECORD_HEADER > len(datagram):
            return False
        if not 20 <= datagram[position] <= 23 or datagram[position + 1 : position + 3] not in (
            b"\xfe\xfd",
            b"\xfe\xff",
        ):
            return False
        position += RECORD_HEADER + int.from_bytes(datagram[position + 11 : position + 13], "big")
    return position == len(datagram) and position > 0


def _client_hello_length(datagram: bytes) -> int | None:
    """Return the length of the whole message if the datagram begins with a fragment of a first ClientHello.

    RFC 6347 section 4.2.2: message type 1, message number 0, and a fragment that lies within the message.
    """
    message = datagram[RECORD_HEADER : RECORD_HEADER + 12]
    if datagram[0] != HANDSHAKE or len(message) < 12 or message[0] != 1 or message[4:6] != b"\0\0":
        return None
    length, at, size = (int.from_bytes(message[start : start + 3], "big") for start in (1, 6, 9))
    return length if at + size <= length <= MAX_HELLO else None
