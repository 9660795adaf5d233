# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for AWS Lambda, as far as a Restate server asks: a function answers discovery, or the call is denied."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MANIFEST = "application/vnd.restate.endpointmanifest.v1+json"
_DENIED = {"Message": "User is not authorized to perform: lambda:InvokeFunction"}


def arn(version: int) -> str:
    """The ARN of a version of the function."""
    return f"arn:aws:lambda:eu-central-1:123456789012:function:ledger:{version}"


class LambdaStandIn:
    """Every function offers the service Ledger, with the handlers hold and record."""

    def __init__(self, url: str) -> None:
        self.is_denied = False
        self.environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_REGION": "eu-central-1",
        }
        """What points a server at it."""

    def answer(self) -> tuple[int, dict[str, Any]]:
        """Answer an invocation of a function."""
        if self.is_denied:
            return 403, _DENIED
        handlers = [{"name": "hold"}, {"name": "record"}]
        manifest = {
            "protocolMode": "REQUEST_RESPONSE",
            "minProtocolVersion": 5,
            "maxProtocolVersion": 5,
            "services": [{"name": "Ledger", "ty": "SERVICE", "handlers": handlers}],
        }
        body = base64.b64encode(json.dumps(manifest).encode()).decode()
        return 200, {
            "statusCode": 200,
            "headers": {"content-type": _MANIFEST},
            "body": body,
            "isBase64Encoded": True,
        }


@contextlib.contextmanager
def lambda_stand_in() -> Iterator[LambdaStandIn]:
    """Serve one until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            status, content = stand_in.answer()
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            if status != 200:
                self.send_header("x-amzn-errortype", "AccessDeniedException")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        stand_in = LambdaStandIn(f"http://127.0.0.1:{listening.server_port}")
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        try:
            yield stand_in
        finally:
            listening.shutdown()
            thread.join()
