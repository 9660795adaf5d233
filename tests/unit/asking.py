# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of a scripted server, and the error that a call ends with."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.guard import WriteGuard
from ansible_collections.dalp.restate.plugins.module_utils._restate.admin import AdminClient
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import answer

VERSION = answer(200, {"version": "1.7.12"})
DONE = answer(200)
SECRET = "hunter22-and-more"


def client(
    url: str, clock: FakeClock | None = None, *, check_mode: bool = False, **options: Any
) -> AdminClient:
    return AdminClient(
        Connection(url=url, **{"request_timeout": 2.0, **options}),
        WriteGuard(check_mode=check_mode),
        clock or FakeClock(),
    )


def failure(call: Callable[[], object]) -> OperatorError:
    with pytest.raises(OperatorError) as raised:
        call()
    return raised.value


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class FullServer:
    """Listens, but takes no connection any more: Linux drops what comes while the backlog is full."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._waiting = socket.create_connection(("127.0.0.1", self.port))

    def close(self) -> None:
        """Give up the port."""
        self._waiting.close()
        self._listener.close()
