# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service that knows HTTP/1.1 (or HTTP/1.0) alone, and says which protocol versions it speaks."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_MANIFEST = "application/vnd.restate.endpointmanifest.v1+json"


class _Handler(BaseHTTPRequestHandler):
    server: _PlainServer

    @property
    def protocol_version(self) -> str:  # type: ignore[override]
        return self.server.http_version

    def do_GET(self) -> None:
        oldest, newest = self.server.protocol_versions
        manifest = {
            "protocolMode": "REQUEST_RESPONSE",
            "minProtocolVersion": oldest,
            "maxProtocolVersion": newest,
            "services": [{"name": "Mailer", "ty": "SERVICE", "handlers": [{"name": "send"}]}],
        }
        content = json.dumps(manifest).encode()
        self.send_response(200)
        self.send_header("content-type", _MANIFEST)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _PlainServer(ThreadingHTTPServer):
    daemon_threads = True
    protocol_versions = (5, 5)
    http_version = "HTTP/1.1"


@contextlib.contextmanager
def plain_http_service(oldest: int = 5, newest: int = 5, *, http_version: str = "HTTP/1.1") -> Iterator[str]:
    """Serve until the end of the context, and give the URL."""
    server = _PlainServer(("127.0.0.1", 0), _Handler)
    server.protocol_versions = (oldest, newest)
    server.http_version = http_version
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
