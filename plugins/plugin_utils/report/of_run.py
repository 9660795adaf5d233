# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of one run of a runbook."""

from __future__ import annotations

import typing as t

from ..lines import Line
from ..summary import Result, Run, next_steps
from .deployments import deployments_of
from .health import health_of, health_word
from .keys import keys_of
from .page import (
    BAD,
    GOOD,
    INFO,
    QUIET,
    Block,
    Cell,
    Command,
    Facts,
    Listing,
    Page,
    Section,
    Text,
    Word,
)
from .records import EXPLANATION, records_folded, records_table
from .steps import steps_of
from .texts import cut, span

_LONGEST = 2_000


def page_of_run(run: Run) -> Page:
    """Return the page of a run: what was found, done and left, and what to do next."""
    sections = [
        _next(run),
        health_of(run),
        steps_of(run),
        deployments_of(run),
        keys_of(run),
        _recorded(run),
        _again(run),
    ]
    return Page(
        title=f"{run.title} on {run.host}",
        words=[_ended(run), health_word(run.last_examination)],
        verdict=_verdict(run),
        facts=Facts(list(_facts(run))),
        sections=[section for section in sections if section],
    )


def _ended(run: Run) -> Word:
    if run.failed:
        return Word("failed", BAD)
    return Word("dry run", INFO) if run.is_dry else Word("done", GOOD)


def _verdict(run: Run) -> Text:
    """Return what to know of a run before anything else."""
    if run.failed:
        first = run.failed[0]
        return Text(f"{first.name}: {cut(first.message, _LONGEST)}", BAD)
    would = any(step.result.get("changed") for step in run.steps)
    if run.is_dry:
        told = "this is what the real run would do" if would else "and the real run would change nothing"
        return Text(f"Nothing was changed: {told}." if would else f"Nothing was changed, {told}.", INFO)
    return Text("Restate was changed as told below." if would else "Nothing had to be changed.", GOOD)


def _records(run: Run) -> list[Result]:
    steps = (run.before, *run.steps, run.after)
    return [step.result["audit"] for step in steps if step.result.get("audit")]


def _facts(run: Run) -> t.Iterator[tuple[str, Cell]]:
    records = _records(run)
    if not records:
        return
    first, data = records[0], records[0]["data"]
    yield "When", span(first["time"], records[-1]["time"])
    yield "Who", str(data.get("actor"))
    if data.get("reason"):
        yield "Why", str(data["reason"])
    version = next((record["data"].get("restate_version") for record in records), None)
    yield "Server", f"{first.get('source')}{f' (Restate {version})' if version else ''}"
    for name, value in (data.get("context") or {}).items():
        yield str(name).replace("_", " "), str(value)


def _next(run: Run) -> Section:
    blocks: list[Block] = []
    texts: list[str] = []
    for line in next_steps(run):
        if not _is_command(line):
            texts.append(cut(line.text.removeprefix("  - "), _LONGEST))
            continue
        label = texts.pop().removesuffix(":") if texts and texts[-1].endswith(":") else "command"
        blocks += [*([Listing(texts)] if texts else []), Command(label.capitalize(), line.text)]
        texts = []
    if texts == ["nothing"]:
        return Section("next", "What to do next", [Text("Nothing.")])
    blocks += [Listing(texts)] if texts else []
    return Section("next", "What to do next", blocks)


def _is_command(line: Line) -> bool:
    return not line.text.startswith("  - ")


def _recorded(run: Run) -> Section:
    records = _records(run)
    blocks: list[Block] = [Text("Nothing was recorded.", QUIET)]
    if records:
        blocks = [records_table(records, "Audit records of this run"), EXPLANATION, *records_folded(records)]
    return Section("records", "Audit records", blocks)


def _again(run: Run) -> Section:
    label = "The same dry run" if run.is_dry else "The same run"
    return Section("again", "How to do it again", [Command(label, run.command.again())])
