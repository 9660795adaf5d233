# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which servers are trusted, and how a client shows who it is."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import LoopbackServer, answer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

VERSION = answer(200, {"version": "1.7.12"})


_SIGNS = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Identity:
    """The files of a self-signed certificate and its key."""

    cert: str
    key: str
    both: str


def identity(directory: Path, name: str, address: str = "127.0.0.1") -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        # Python 3.13 asks for these, too.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_SIGNS, critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files = [directory / f"{name}.{kind}" for kind in ("crt", "key", "pem")]
    for file, content in zip(files, (certificate, private, certificate + private), strict=True):
        file.write_bytes(content)
    return Identity(*map(str, files))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Identity]:
    directory = tmp_path_factory.mktemp("certificates")
    return {
        "server": identity(directory, "server"),
        "client": identity(directory, "client"),
        "stranger": identity(directory, "stranger"),
        "other-host": identity(directory, "other-host", "127.0.0.9"),
    }


def tls_server(serve: Serve, own: Identity, *, asks_for: Identity | None = None) -> LoopbackServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.cert, own.key)
    if asks_for:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(asks_for.cert)
    return serve(VERSION, tls=context)


def ask(url: str, **options: Any) -> str:
    connection = Connection(url=url, request_timeout=2.0, retries=0, **options)
    return AdminClient(connection, WriteGuard(check_mode=True), FakeClock()).version.version


@pytest.fixture
def server(serve: Serve, certificates: dict[str, Identity]) -> LoopbackServer:
    return tls_server(serve, certificates["server"])


def test_a_server_is_trusted_by_its_authority(
    server: LoopbackServer, certificates: dict[str, Identity]
) -> None:
    assert ask(server.url, ca_path=certificates["server"].cert) == "1.7.12"


@pytest.mark.parametrize("scheme", ["https", "HTTPS", "Https"])
@pytest.mark.parametrize("authority", [None, "stranger"], ids=["the system's", "another's"])
def test_a_server_that_no_authority_knows_is_refused(
    scheme: str, authority: str | None, server: LoopbackServer, certificates: dict[str, Identity]
) -> None:
    ca_path = certificates[authority].cert if authority else None
    with pytest.raises(OperatorError) as raised:
        ask(server.url.replace("https", scheme), ca_path=ca_path, auth_token="hunter22")
    assert raised.value.code == "RESTATE_ADMIN_UNREACHABLE"
    assert "certificate" in raised.value.message.lower()
    assert server.requests == []


def test_a_certificate_of_another_host_is_refused(serve: Serve, certificates: dict[str, Identity]) -> None:
    server = tls_server(serve, certificates["other-host"])
    with pytest.raises(OperatorError, match=r"127\.0\.0\.1"):
        ask(server.url, ca_path=certificates["other-host"].cert)
    assert server.requests == []


def test_any_server_is_trusted_where_certificates_are_not_validated(server: LoopbackServer) -> None:
    assert ask(server.url, validate_certs=False) == "1.7.12"


@pytest.mark.parametrize("in_one_file", [False, True], ids=["certificate and key", "both in one file"])
def test_a_client_shows_its_certificate(
    in_one_file: bool, serve: Serve, certificates: dict[str, Identity]
) -> None:
    server = tls_server(serve, certificates["server"], asks_for=certificates["client"])
    own = certificates["client"]
    files = {"client_cert": own.both} if in_one_file else {"client_cert": own.cert, "client_key": own.key}
    assert ask(server.url, ca_path=certificates["server"].cert, **files) == "1.7.12"


@pytest.mark.parametrize("shown", [None, "stranger"], ids=["no certificate", "another's certificate"])
def test_a_client_without_the_right_certificate_gets_nothing(
    shown: str | None, serve: Serve, certificates: dict[str, Identity]
) -> None:
    server = tls_server(serve, certificates["server"], asks_for=certificates["client"])
    files = {"client_cert": certificates[shown].both} if shown else {}
    with pytest.raises(OperatorError) as raised:
        ask(server.url, ca_path=certificates["server"].cert, **files)
    assert raised.value.code == "RESTATE_ADMIN_UNREACHABLE"
    assert server.requests == []


@pytest.mark.parametrize("option", ["ca_path", "client_cert"])
@pytest.mark.parametrize("content", [None, b"not a certificate"], ids=["missing", "not PEM"])
def test_a_file_that_cannot_be_used_is_an_argument_error(
    option: str, content: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / "file.pem"
    if content:
        file.write_bytes(content)
    with pytest.raises(OperatorError, match=option) as raised:
        ask("https://127.0.0.1:1", **{option: str(file)})
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"


def test_plain_http_to_a_tls_port_is_an_error(server: LoopbackServer) -> None:
    with pytest.raises(OperatorError):
        ask(server.url.replace("https", "http"))
