"""DTLS 1.2 over memory, for its keys (RFC 5764): bytes in, bytes out.

OpenSSL reads its own clock for retransmission, the one exception to "time is an argument" in the media plane's cores;
`handle_timeout` merely gives it the occasion.
"""

from __future__ import annotations

from typing import Literal

from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL

from sfu.errors import MalformedPacketError, SfuError
from sfu.machines.certificate import Certificate
from sfu.machines.srtp import PROFILES, SrtpKeys, keys_from_exporter

DTLS_1_2 = 0xFEFD
MAX_DATAGRAM = 1200
RECORD_HEADER = 13
OUR_PROFILES = tuple(profile.openssl_name for profile in PROFILES)
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
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(certificate.certificate)
        context.use_privatekey(certificate.key)
        context.set_cipher_list(CIPHERS)
        context.set_tlsext_use_srtp(b":".join(profiles))
        context.set_options(SSL.OP_NO_RENEGOTIATION)
        self._connection = SSL.Connection(context)
        self._connection.set_ciphertext_mtu(MAX_DATAGRAM)
        self._role = role
        if role == "server":
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
        self._fingerprints = remote_fingerprints
        self._out: list[bytes] = []
        self._keys: SrtpKeys | None = None
        self.closed = False
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
        self._connection.bio_write(datagram)
        if self._keys is None:
            self._handshake()
            return
        try:
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

    def _handshake(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._collect()
            return
        except SSL.Error as error:
            self._collect()
            self.closed = True
            raise MalformedPacketError("the DTLS handshake failed") from error
        self._collect()
        self._check_fingerprint()
        selected = self._connection.get_selected_srtp_profile()
        profile = next((p for p in PROFILES if p.openssl_name == selected), None)
        if profile is None:
            self.closed = True
            raise MalformedPacketError("no SRTP profile in common")
        material = self._connection.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_bytes + profile.salt_bytes)
        )
        self._keys = keys_from_exporter(profile, material, is_server=self._role == "server")

    def _check_fingerprint(self) -> None:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        known = [(_HASHES[name], value) for name, value in self._fingerprints if name in _HASHES]
        if (
            certificate is None
            or not known
            or any(certificate.fingerprint(made()).hex(":").upper() != value.upper() for made, value in known)
        ):
            self.closed = True
            raise FingerprintError("the certificate is not the announced one")

    def _collect(self) -> None:
        """Take what OpenSSL wants to send; a memory BIO forgets datagram borders, records remember."""
        flight = b""
        while True:
            try:
                flight += self._connection.bio_read(65_536)
            except SSL.WantReadError:
                break
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
