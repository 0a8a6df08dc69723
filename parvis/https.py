"""HTTPS for other machines: the certificate that was given or one of our own, taken up again when it is renewed."""

from __future__ import annotations

import asyncio
import logging
import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from configs.settings import WebSettings
from parvis.addresses import names
from parvis.certificate import OwnCertificate
from parvis.errors import StartError, in_words
from sfu.machines.certificate import fingerprint

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0


class Https:
    """The TLS side of the pages. `context` serves the newest certificate to whoever connects next."""

    def __init__(self, settings: WebSettings, data: Path) -> None:
        """Make or read the certificate. Raises StartError."""
        self._host = settings.tls_host
        self._own: OwnCertificate | None = None
        if settings.tls_certificate is not None and settings.tls_key is not None:
            self._certificate, self._key = settings.tls_certificate, settings.tls_key
        else:
            self._own = own = OwnCertificate(data / "tls")
            self._certificate, self._key = own.certificate, own.key
            try:
                own.ensure(names(self._host), datetime.now(UTC))
            except OSError as error:
                raise StartError("data_folder", path=str(data), reason=error.strerror or "") from error
        self._loaded = self._stamps()
        self.context = self._read()

    @property
    def is_own(self) -> bool:
        """Whether browsers will warn: nobody but this machine vouches for the certificate."""
        return self._own is not None

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate as it is in its file."""
        return x509.load_pem_x509_certificate(self._certificate.read_bytes())

    @property
    def fingerprint(self) -> str:
        """Its SHA-256 fingerprint as browsers show it."""
        return fingerprint(self.certificate)

    async def watch(self) -> None:
        """Look for renewed files and new addresses until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.refresh()

    def refresh(self) -> bool:
        """Take up what is new; return whether something was. A bad pair is logged, the one in use stays in use."""
        try:
            if self._own is not None:
                self._own.ensure(names(self._host), datetime.now(UTC))
            stamps = self._stamps()
            if stamps == self._loaded:
                return False
            self._loaded = stamps
            self._read()  # a pair that is half written must not spoil the one in use
            self.context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except (StartError, OSError) as error:
            logger.error("the certificate stays as it was: %s", error)
            return False
        logger.info("a renewed certificate is in use: %s", self._certificate)
        return True

    def _stamps(self) -> list[tuple[int, int] | None]:
        """Return what changes when a file is replaced, for both files."""
        found: list[tuple[int, int] | None] = []
        for path in (self._certificate, self._key):
            try:
                status = path.stat()
                found.append((status.st_ino, status.st_mtime_ns))
            except OSError:
                found.append(None)
        return found

    def _read(self) -> ssl.SSLContext:
        """Return a context with the pair. Raises StartError with the option to mend."""
        for option, path in (("web.tls_certificate", self._certificate), ("web.tls_key", self._key)):
            try:
                path.read_bytes()
            except OSError as error:
                raise StartError("certificate", option=option, path=path, reason=error.strerror) from error
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            certificate = self.certificate
        except ValueError as error:
            reason = in_words(("ce n'est pas un certificat PEM", "it is not a PEM certificate"))
            raise StartError(
                "certificate", option="web.tls_certificate", path=self._certificate, reason=reason
            ) from error
        try:
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            reason = in_words(
                (
                    f"ce n'est pas la clé de {self._certificate}, ou elle est protégée par un mot de passe",
                    f"it is not the key of {self._certificate}, or it is protected by a password",
                )
            )
            raise StartError("certificate", option="web.tls_key", path=self._key, reason=reason) from error
        if certificate.not_valid_after_utc < datetime.now(UTC):
            logger.warning("the certificate %s ended on %s", self._certificate, certificate.not_valid_after_utc)
        return context


def _no_password() -> str:
    """Answer OpenSSL, which would otherwise ask on the terminal and wait."""
    return ""
