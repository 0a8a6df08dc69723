"""The self-signed certificate by which a media worker is known (RFC 8827 section 6.5): ECDSA on P-256."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(slots=True, frozen=True)
class Certificate:
    """A certificate and its key, for one run of the worker."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def generate(cls) -> "Certificate":
        """Make a new one, valid from yesterday for a month."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self_signed(key, "parvis", datetime.now(UTC), timedelta(days=31)).sign(key, hashes.SHA256())
        return cls(certificate, key)

    @property
    def fingerprint(self) -> str:
        """The value of `a=fingerprint:sha-256` (RFC 8122 section 5)."""
        return fingerprint(self.certificate)


def self_signed(key: ec.EllipticCurvePrivateKey, name: str, now: datetime, valid: timedelta) -> x509.CertificateBuilder:
    """Return a certificate of this name for a key, valid from yesterday on, to be signed with the same key."""
    common_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    yesterday = now - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(common_name)
        .issuer_name(common_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(yesterday)
        .not_valid_after(yesterday + valid)
    )


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 fingerprint as browsers show it: pairs of hexadecimal digits with colons."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()
