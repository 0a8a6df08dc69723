"""The certificate that Parvis makes for itself, so that other machines reach it by HTTPS before there is a real one.

Browsers give camera and microphone to secure contexts only (W3C Secure Contexts): `http://localhost` is one, any other
address needs HTTPS. ECDSA on P-256, 397 days at most (CA/Browser Forum Baseline Requirements section 6.3.2).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from sfu.machines.certificate import self_signed

VALID = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)


class OwnCertificate:
    """`certificate.pem` and `key.pem` in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"

    def ensure(self, names: Sequence[str], now: datetime) -> bool:
        """Make or renew the pair when it is missing, ends within 30 days or lacks one of the names and addresses.

        Returns whether it did. The key is kept when only addresses came. Raises OSError.
        """
        old = self._read()
        ending = old is None or old[0].not_valid_after_utc - now < RENEW_BEFORE
        if old is not None and not ending and set(names) <= names_in(old[0]):
            return False
        key = ec.generate_private_key(ec.SECP256R1()) if old is None or ending else old[1]
        self.key.parent.mkdir(mode=0o700, exist_ok=True)
        _write(self.key, _pem(key), 0o600)
        _write(self.certificate, _sign(key, names, now).public_bytes(serialization.Encoding.PEM), 0o644)
        return True

    def _read(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
        """Return the pair; None when a part is missing or damaged, or when they do not belong together."""
        try:
            certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        except (FileNotFoundError, ValueError, TypeError, UnsupportedAlgorithm):
            return None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            return None
        return certificate, key


def names_in(certificate: x509.Certificate) -> set[str]:
    """Return the host names and addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}


def _sign(key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime) -> x509.Certificate:
    return (
        self_signed(key, "Parvis", now, VALID)
        .add_extension(x509.SubjectAlternativeName([_general_name(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Put a file in its place at once, never readable by more than `mode` says."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
