# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the unit tests share."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common import warnings
from ansible.module_utils.common.parameters import PASS_VARS
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dalp.restate.plugins.module_utils._http.clock import Clock
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock
from ansible_collections.dalp.restate.tests.unit.loopback import LoopbackServer

Serve = Callable[..., LoopbackServer]

# From ansible-core 2.21 a result shows the arguments only where the controller asks for it.
SHOW_ARGUMENTS = {"_ansible_inject_invocation": True} if "inject_invocation" in PASS_VARS else {}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESTATE_AUDIT_LOG", "DALP_API_URL", "DALP_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user for each test, in which tasks keep what they leave open."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ANSIBLE_HOME", str(folder))
    return folder / "dalp.restate"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that give these answers, one after another, the last again and again."""
    with ExitStack() as stack:

        def start(*answers: Any, **options: Any) -> LoopbackServer:
            return stack.enter_context(LoopbackServer(answers, **options))

        yield start


@pytest.fixture
def clock() -> FakeClock:
    """A clock to make clients with; nobody waits for it."""
    return FakeClock()


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that a module, which makes its own clock, would have waited; it does not."""
    fake = FakeClock()
    monkeypatch.setattr(Clock, "now", lambda _clock: fake.now())
    monkeypatch.setattr(Clock, "sleep", lambda _clock, seconds: fake.sleep(seconds))
    return fake.sleeps


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a module in this process and return what it prints for Ansible, as text and as JSON."""

    def start(name: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
        module = importlib.import_module(f"ansible_collections.dalp.restate.plugins.modules.{name}")
        # Ansible keeps the warnings of a process, which is else that of one module.
        # Where its module is loaded again, they are forgotten.
        importlib.reload(warnings)
        given = {"_ansible_diff": True, **arguments, **SHOW_ARGUMENTS}
        with patch_module_args(given), pytest.raises(SystemExit):
            module.main()
        text = capsys.readouterr().out
        return text, json.loads(text)

    return start
