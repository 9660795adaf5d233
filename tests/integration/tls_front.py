# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A port that takes plain connections and TLS, as a service's does while it moves from http:// to https://."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_TLS_HANDSHAKE = b"\x16"


def write_certificate(directory: Path) -> Path:
    """Write a self-signed certificate of 127.0.0.1, with its key, into one file, and return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    path = directory / "service.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


class Front:
    """What listens; `schemes` are those of the connections that came, in their order."""

    def __init__(self, target: int, certificate: Path) -> None:
        self.takes_tls = True
        self.takes_plain = True
        self.schemes: list[str] = []
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]

    def listen(self) -> None:
        """Take connections until the socket is closed."""
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            is_tls = connection.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE
            if not (self.takes_tls if is_tls else self.takes_plain):
                return
            self.schemes.append("https" if is_tls else "http")
            inside = self._context.wrap_socket(connection, server_side=True) if is_tls else connection
            with inside, socket.create_connection(("127.0.0.1", self._target)) as service:
                back = threading.Thread(target=_copy, args=(service, inside), daemon=True)
                back.start()
                _copy(inside, service)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def tls_front(target: int, certificate: Path) -> Iterator[Front]:
    """Stand in front of a service's port until the end of the context."""
    front = Front(target, certificate)
    thread = threading.Thread(target=front.listen, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        front.socket.shutdown(socket.SHUT_RDWR)
        front.socket.close()
        thread.join()
