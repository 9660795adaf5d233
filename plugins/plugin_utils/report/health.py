# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health of a server before and after a run: its components, and what was found."""

from __future__ import annotations

from ..summary import Result, Run, health
from .page import BAD, GOOD, INFO, QUIET, WARN, Cell, Facts, Section, Table, Word
from .texts import cut

COMPONENTS = ("ingress", "admin", "deployments", "services", "invocations")
_LONGEST = 2_000
_OF_STATUS = {"ok": GOOD, "degraded": WARN, "unreachable": BAD}
_OF_SEVERITY = {"critical": BAD, "warning": WARN, "info": INFO}
_OF_COLOUR = {"red": BAD, "yellow": WARN, "green": GOOD}


def health_word(examination: Result) -> Word:
    """Return how healthy an examination found the server."""
    told, colour = health(examination)
    return Word(told, _OF_COLOUR[colour])


def health_of(run: Run) -> Section:
    """Return the health before and after; a dry run is not examined again, since it has changed nothing."""
    before, after = run.before.result, _after(run)
    was_again = "findings" in after
    facts = Facts([("Before", health_word(before)), ("After", _then(run, after))])
    tables = [_components(before, after, with_after=was_again)] if "findings" in before or was_again else []
    found = _findings(before, after, with_after=was_again)
    return Section("health", "Health before and after", [facts, *tables, *([found] if found.rows else [])])


def _after(run: Run) -> Result:
    """Return the examination after; that of a runbook that only examines is its one step."""
    steps = [step.result for step in run.steps if "findings" in step.result]
    return run.after.result or (steps[-1] if steps else {})


def _then(run: Run, after: Result) -> Cell:
    if "findings" in after:
        return health_word(after)
    return "not examined again: a dry run changes nothing" if run.is_dry else Word("not examined", WARN)


def _components(before: Result, after: Result, *, with_after: bool) -> Table:
    rows: list[list[Cell]] = [
        [name, _status(before, name), *([_status(after, name)] if with_after else [])] for name in COMPONENTS
    ]
    return Table("Components", ("Component", "Before", *(["After"] if with_after else [])), rows)


def _status(examination: Result, name: str) -> Cell:
    component = examination.get(name)
    if not isinstance(component, dict):
        return Word("not told")
    status, error = str(component.get("status")), component.get("error")
    why = str(error.get("message") if isinstance(error, dict) else error or "")
    return Word(status, _OF_STATUS.get(status, QUIET), cut(why, _LONGEST))


def _findings(before: Result, after: Result, *, with_after: bool) -> Table:
    """Return what was found, by code, with what each examination says of it."""
    codes = dict.fromkeys(each["code"] for seen in (before, after) for each in seen.get("findings", []))
    rows: list[list[Cell]] = [
        [code, _told(before, code, "not there"), *([_told(after, code, "gone")] if with_after else [])]
        for code in codes
    ]
    return Table("Findings", ("Finding", "Before", *(["After"] if with_after else [])), rows)


def _told(examination: Result, code: str, otherwise: str) -> Cell:
    found = [each for each in examination.get("findings", []) if each["code"] == code]
    if "findings" not in examination:
        return Word("not examined")
    if not found:
        return Word(otherwise, GOOD)
    text = " ".join(str(each["message"]) for each in found)
    severity = str(found[0]["severity"])
    return Word(severity, _OF_SEVERITY.get(severity, QUIET), cut(text, _LONGEST))
