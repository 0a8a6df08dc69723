"""The certificate that Parvis makes for itself: what it is for, how long it holds, when it is made anew."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from parvis.certificate import OwnCertificate, names_in

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NAMES = ["visites", "localhost", "127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"]


@pytest.fixture
def own(tmp_path: Path) -> OwnCertificate:
    made = OwnCertificate(tmp_path / "tls")
    assert made.ensure(NAMES, NOW)
    return made


def read(own: OwnCertificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(own.certificate.read_bytes())


def test_it_is_for_every_name_and_address_at_most_397_days_and_its_key_is_private(own: OwnCertificate) -> None:
    certificate = read(own)
    assert names_in(certificate) == set(NAMES)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(days=397)
    assert certificate.not_valid_before_utc < NOW < certificate.not_valid_after_utc
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert own.key.stat().st_mode & 0o777 == 0o600


def test_it_stays_as_long_as_it_serves(own: OwnCertificate) -> None:
    before = read(own)
    assert not own.ensure(NAMES[:3], NOW + timedelta(days=300))
    assert read(own) == before


def test_a_new_address_makes_a_new_one_with_the_same_key(own: OwnCertificate) -> None:
    before = read(own)
    assert own.ensure([*NAMES, "192.0.2.8"], NOW + timedelta(days=1))
    assert "192.0.2.8" in names_in(read(own))
    assert read(own).public_key() == before.public_key()


def test_near_its_end_it_is_made_anew_with_a_new_key(own: OwnCertificate) -> None:
    before = read(own)
    assert own.ensure(NAMES, NOW + timedelta(days=380))
    assert read(own).public_key() != before.public_key()


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_damaged_or_foreign_file_is_replaced(own: OwnCertificate, content: bytes) -> None:
    for path in (own.certificate, own.key):
        path.write_bytes(content)
        assert own.ensure(NAMES, NOW)
        assert names_in(read(own)) == set(NAMES)
    own.key.unlink()
    assert own.ensure(NAMES, NOW)
