# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task three times: as a dry run, for real, and once more; and how their results are compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.integration.ansible_task import Result
from tests.integration.server import Server, Snapshot

_NOT_COMPARED = ("audit", "invocation", "exception", "acknowledged", "done", "not_done")


@dataclass(frozen=True)
class ThreeRuns:
    """A dry run, the real run and a second real run, with the server before and after."""

    predicted: Result
    real: Result
    again: Result
    before: Snapshot
    after: Snapshot

    @property
    def told(self) -> str:
        """All that the tasks told, as text."""
        return str((self.predicted, self.real, self.again))


def run_three_times(
    server: Server, module: str, *, conditional: bool = False, unknown: tuple[str, ...] = (), **args: Any
) -> ThreeRuns:
    """Run a task in check mode, for real, and again, and hold what all tasks promise.

    The dry run changes nothing and says what the real run does, in every key of the result but those that a dry run
    cannot know (`unknown`); where it depends on a wait it says so (`conditional`). The second run finds nothing to
    do, or is refused for the same reason.
    """
    before = server.snapshot()
    predicted = server.task(module, check=True, **args)
    assert server.snapshot() == before
    real = server.task(module, **args)
    after = server.snapshot()
    if not conditional:
        assert compared(predicted, unknown) == compared(real, unknown)
    if real["failed"] and "done" not in real:
        # A refusal: the dry run was the first of two on the same server.
        assert after == before
        return ThreeRuns(predicted, real, real, before, after)
    again = server.task(module, **args)
    if real["failed"]:
        assert reason(again) == reason(real)
    else:
        assert not again["failed"], again["msg"]
        assert again["changed"] is False
        assert server.snapshot() == after
    for result in (predicted, real, again):
        assert result["failed"] or result.get("acknowledged", module == "doctor") is True
    return ThreeRuns(predicted, real, again, before, after)


def compared(result: Result, unknown: Iterable[str] = ()) -> Result:
    """The keys of a result in which a dry run and a real run must agree."""
    left_out = {*_NOT_COMPARED, *unknown} | ({"msg"} if not result["failed"] else set())
    return {
        key: value for key, value in result.items() if key not in left_out and not key.startswith("_ansible")
    }


def reason(result: Result) -> tuple[str, str | None]:
    """Why a task failed: code and reason."""
    assert result["failed"], result["msg"]
    return result["error"]["code"], result["error"].get("reason")
