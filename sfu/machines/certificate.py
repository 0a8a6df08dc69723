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
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "parvis")])
        yesterday = datetime.now(UTC) - timedelta(days=1)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(yesterday)
            .not_valid_after(yesterday + timedelta(days=31))
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @property
    def fingerprint(self) -> str:
        """The value of `a=fingerprint:sha-256` (RFC 8122 section 5)."""
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()
