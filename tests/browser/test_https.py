"""Another machine: no camera by plain HTTP, a visit by HTTPS with the certificate that Parvis made."""

import base64
import hashlib
import re
import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.browser.people import people
from tests.browser.server import running
from tests.rig import namespaces

pytestmark = [pytest.mark.browser, pytest.mark.netns, pytest.mark.slow, pytest.mark.xdist_group("netns")]

ANNE, LUC = "Roy, Anne", "Gagnon, Luc"


def pin(certificate: Path) -> str:
    """Chromium's argument for a person who compared the fingerprint and went on."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return f"--ignore-certificate-errors-spki-list={base64.b64encode(digest).decode()}"


async def test_a_visit_on_another_machine_needs_https_and_gets_it(tmp_path: Path) -> None:
    if reason := namespaces.unavailable():
        pytest.skip(reason)
    chromium = shutil.which("chromium")
    assert chromium is not None
    data = tmp_path / "data"
    settings = {"PARVIS_WEB__HOST": "0.0.0.0", "PARVIS_TRANSCRIPTION__ENABLED": "false"}
    with namespaces.link() as link, running(data, settings=settings, prefix=link.server.command()) as server:
        assert server.process.stdout is not None
        said = "".join(server.process.stdout.readline() for _ in range(2))
        (start,) = re.findall(rf"https://{re.escape(link.server.address)}:\d+/new/\S+", said)
        plain = re.sub(r"//[^/:]+", f"//{link.server.address}", server.link)
        programs = {
            ANNE: link.server.wrapper(chromium, tmp_path),
            LUC: link.client.wrapper(chromium, tmp_path),
        }
        trusting = pin(data / "tls/certificate.pem")
        async with people(ANNE, LUC, devices={ANNE: [trusting], LUC: [trusting]}, programs=programs) as (anne, luc):
            await luc.page.goto(plain.split("/new/")[0])
            assert not await luc.page.evaluate("isSecureContext || Boolean(navigator.mediaDevices)")
            await anne.enter(start)
            await luc.enter(await anne.invitation())
            assert await luc.page.evaluate("isSecureContext && location.protocol") == "https:"
            await luc.sees_and_hears(ANNE)
            await anne.sees_and_hears(LUC)
