"""HTTPS with real TLS clients: our own certificate, a given one, and one that is renewed while we run."""

import os
import re
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509

from configs.settings import WebSettings
from parvis.certificate import OwnCertificate
from parvis.errors import StartError
from parvis.https import Https
from parvis.listening import listen
from sfu.machines.certificate import fingerprint
from tests.browser.server import running

WITHOUT_CAPTIONS = {"PARVIS_TRANSCRIPTION__ENABLED": "false"}


def trusting(certificate: Path) -> ssl.SSLContext:
    """A client that knows this one certificate, and checks names and dates as browsers do."""
    return ssl.create_default_context(cafile=str(certificate))


def pair(folder: Path, *names: str) -> OwnCertificate:
    own = OwnCertificate(folder)
    own.ensure(names, datetime.now(UTC))
    return own


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_CA.UTF-8")


async def test_a_start_on_defaults_serves_https_on_the_addresses_it_prints(tmp_path: Path) -> None:
    with running(tmp_path / "data", settings=WITHOUT_CAPTIONS) as server:
        assert server.process.stdout is not None
        said = ""
        while not re.search(r"([0-9A-F]{2}:){31}[0-9A-F]{2}|No other machine", said):
            line = server.process.stdout.readline()
            assert line
            said += line
        if "No other machine" in said:
            pytest.skip("this machine has loopback addresses only")
        path = tmp_path / "data/tls/certificate.pem"
        assert fingerprint(x509.load_pem_x509_certificate(path.read_bytes())) in said
        context = trusting(path)
        origins = re.findall(r"(https://\S+)/new/", said)
        port = origins[0].rpartition(":")[2]
        async with aiohttp.ClientSession() as session:
            for origin in [*origins, f"https://127.0.0.1:{port}", f"https://localhost:{port}"]:
                async with session.get(f"{origin}/healthz", ssl=context) as response:
                    assert response.status == 200
                    assert "Strict-Transport-Security" in response.headers


async def test_a_given_certificate_is_served_and_taken_up_again_when_it_is_renewed(tmp_path: Path) -> None:
    given = pair(tmp_path / "given", "127.0.0.1")
    https = Https(WebSettings(tls_certificate=given.certificate, tls_key=given.key), tmp_path)
    assert not https.is_own
    app = web.Application()
    app.add_routes([web.get("/", hello)])
    runner = web.AppRunner(app)
    await runner.setup()
    (listening,) = listen("127.0.0.1", 0, "web.tls_", chosen=True)
    await web.SockSite(runner, listening, ssl_context=https.context).start()
    url = f"https://127.0.0.1:{listening.getsockname()[1]}/"

    async def reached(certificate: Path) -> bool:
        async with aiohttp.ClientSession() as session:
            try:
                async with session.get(url, ssl=trusting(certificate)) as response:
                    return response.status == 200
            except aiohttp.ClientConnectorCertificateError:
                return False

    renewed = pair(tmp_path / "renewed", "127.0.0.1")
    assert (await reached(given.certificate), await reached(renewed.certificate)) == (True, False)
    assert not https.refresh()
    given.key.write_bytes(renewed.key.read_bytes())  # half of a renewal: not a pair
    assert not https.refresh()
    first = tmp_path / "first.pem"
    first.write_bytes(given.certificate.read_bytes())
    assert await reached(first)
    given.certificate.write_bytes(renewed.certificate.read_bytes())
    assert https.refresh()
    assert (await reached(first), await reached(renewed.certificate)) == (False, True)
    await runner.cleanup()


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


def test_a_certificate_that_cannot_serve_is_an_error_that_names_the_option(tmp_path: Path) -> None:
    one, other = pair(tmp_path / "one", "127.0.0.1"), pair(tmp_path / "other", "127.0.0.1")
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    for certificate, key, message in (
        (tmp_path / "none.pem", one.key, r"web\.tls_certificate = .*none\.pem cannot be used: No such file"),
        (one.certificate, tmp_path / "none.pem", r"web\.tls_key = .*none\.pem cannot be used: No such file"),
        (nonsense, one.key, r"web\.tls_certificate = .* it is not a PEM certificate"),
        (one.certificate, other.key, r"web\.tls_key = .* it is not the key of"),
        (one.certificate, nonsense, r"web\.tls_key = .* it is not the key of"),
    ):
        with pytest.raises(StartError, match=message):
            Https(WebSettings(tls_certificate=certificate, tls_key=key), tmp_path)


def test_a_chosen_https_port_in_use_ends_the_start_with_the_options_name(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        status, said = started(tmp_path, {"PARVIS_WEB__PORT": "0", "PARVIS_WEB__TLS_PORT": str(port)})
    assert (status, said) == (2, f"parvis: port {port} is in use: change the option web.tls_port.\n")


def test_a_second_parvis_stays_out_of_the_data_folder(tmp_path: Path) -> None:
    with running(tmp_path, settings=WITHOUT_CAPTIONS):
        status, said = started(tmp_path, {})
    assert status == 2
    assert "another Parvis uses the data folder" in said


def started(data: Path, environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "parvis", "serve"],
        env=os.environ | {"PARVIS_DATA": str(data)} | environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stderr
