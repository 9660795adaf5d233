# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two tasks at once: one is held at one of its calls until the other one has run from its start to its end."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

from tests.integration.proxy import Answer, Fault, Forward, Request

Result = dict[str, Any]
Hold = Callable[[Callable[[], object]], Fault]


_PATIENCE = 10.0
"""In seconds; longer than a task takes, and shorter than a task waits for an answer or for another task."""


class Meeting:
    """What a proxy does to each call: at the first one that matches, another task runs from its start to its end.

    If the other task itself waits for the one that is held, the call goes on after a while.
    """

    def __init__(self, call: tuple[str, str], hold: Hold, other: Callable[[], Result]) -> None:
        self.held = ""
        """The path of the call at which the other task ran."""
        self._method, self._path = call
        self._fault = hold(self._let_other_run)
        self._results: list[Result] = []
        self._thread = threading.Thread(target=lambda: self._results.append(other()))

    def _let_other_run(self) -> None:
        self._thread.start()
        self._thread.join(_PATIENCE)

    def result(self) -> Result:
        """Wait for the end of the other task, and return its result."""
        assert self.held, "the call never came"
        self._thread.join()
        return self._results[0]

    def __call__(self, request: Request, forward: Forward) -> Answer:
        is_it = request.method == self._method and re.search(self._path, request.path)
        if self.held or not is_it or not request.writes:
            return forward()
        self.held = request.path
        return self._fault(request, forward)


class Submissions:
    """Counts the runs that the ingress started: a submission that finds a run of its key starts none."""

    def __init__(self, meeting: Meeting) -> None:
        self.started: list[str] = []
        self._meeting = meeting

    def __call__(self, request: Request, forward: Forward) -> Answer:
        def record() -> Answer:
            answer = forward()
            if request.path.endswith("/send") and json.loads(answer.body).get("status") == "Accepted":
                self.started.append(request.path.split("/")[2])
            return answer

        return self._meeting(request, record)


def assert_no_bug(*results: Result) -> None:
    for result in results:
        assert result.get("error", {}).get("code") != "RESTATE_BUG", result["msg"]
        assert "Traceback" not in json.dumps(result)
