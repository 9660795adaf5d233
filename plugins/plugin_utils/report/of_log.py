# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of an audit log: its records by run, dry runs apart from real ones."""

from __future__ import annotations

import datetime
import json
import typing as t
from dataclasses import dataclass

from .page import BAD, GOOD, INFO, QUIET, WARN, Block, Card, Cell, Facts, Page, Section, Text, Word
from .records import EXPLANATION, Record, outcome_word, records_folded, records_table
from .texts import count, moment, some, span

_LONGEST_PAUSE = datetime.timedelta(minutes=2)
_WORST_FIRST = ("attempted", "failed", "refused", "planned", "succeeded")
_TONES = {"failed": BAD, "attempted": BAD, "refused": WARN, "planned": INFO, "succeeded": GOOD}
_ABOUT = 5


@dataclass(frozen=True)
class Log:
    """Records, the oldest first, and the verdict on the chain that they are from; O(open) have no outcome."""

    records: t.Sequence[Record]
    verdict: str
    is_verified: bool
    open: t.Sequence[Record] = ()


def page_of_log(log: Log) -> Page:
    """Return the page of a log, the latest run first."""
    ended = [record for record in log.records if record["data"].get("outcome") != "attempted"]
    runs = runs_of(ended)
    dry = [run for run in runs if run[0]["data"].get("check_mode")]
    real = [run for run in runs if not run[0]["data"].get("check_mode")]
    changing = sum(any(record["data"].get("changed") for record in run) for run in real)
    sections = [
        Section("real", "Runs", [*_cards(real), EXPLANATION] if real else [Text("None.")]),
        Section("dry", "Dry runs", _cards(dry) if dry else [Text("None.")]),
    ]
    if log.open:
        sections.insert(0, _never_ended(log.open))
    return Page(
        title="Restate audit report",
        words=[Word("verified", GOOD) if log.is_verified else Word("NOT as it was written", BAD)],
        verdict=Text(log.verdict, GOOD if log.is_verified else BAD),
        facts=Facts(
            [
                ("Runs", f"{len(real):,}, of which {changing:,} changed something"),
                ("Dry runs", f"{len(dry):,}"),
                ("Records", f"{len(log.records):,}"),
                ("How runs are told apart", "by the job, the server, who, why, and the time between records"),
            ]
        ),
        sections=sections,
    )


def runs_of(records: t.Sequence[Record]) -> list[list[Record]]:
    """Return records by run: a record does not name its runbook, but its job, and when it was."""
    runs: list[list[Record]] = []
    latest: dict[str, list[Record]] = {}
    for record in records:
        who = _who(record)
        if who in latest and _goes_on(latest[who], record):
            latest[who].append(record)
        else:
            latest[who] = [record]
            runs.append(latest[who])
    return runs


def _who(record: Record) -> str:
    """Return what all records of a run have in common."""
    data = record["data"]
    common = [data.get(name) for name in ("actor", "reason", "context", "check_mode")]
    return json.dumps([record.get("source"), *common], sort_keys=True)


def _goes_on(run: t.Sequence[Record], record: Record) -> bool:
    """Whether a record belongs to a run: soon after it, and not after the examination that ends a runbook."""
    operations = [each["data"].get("operation") for each in run]
    has_ended = operations[-1] == "doctor" and any(each != "doctor" for each in operations)
    begins_anew = record["data"].get("operation") == "doctor" and set(operations) == {"doctor"}
    if has_ended or begins_anew:
        return False
    try:
        began = _time(record) - datetime.timedelta(milliseconds=record["data"].get("duration_ms") or 0)
        return began - _time(run[-1]) <= _LONGEST_PAUSE
    except ValueError:
        # A log that was tampered with may hold anything.
        return False


def _time(record: Record) -> datetime.datetime:
    return datetime.datetime.fromisoformat(str(record["time"]))


def _cards(runs: t.Sequence[list[Record]]) -> list[Block]:
    return [_card(run) for run in reversed(runs)]


def _card(run: list[Record]) -> Card:
    data = run[0]["data"]
    worst = min((str(each["data"].get("outcome")) for each in run), key=_rank)
    changed = any(each["data"].get("changed") for each in run) and not data.get("check_mode")
    facts: list[tuple[str, Cell]] = [
        ("When", span(run[0]["time"], run[-1]["time"])),
        ("Who", str(data.get("actor"))),
        *([("Why", str(data["reason"]))] if data.get("reason") else []),
        ("Server", _server(run[0])),
        ("About", some(list(dict.fromkeys(str(each.get("subject")) for each in run)), _ABOUT)),
        ("Changed", "yes" if changed else "no"),
        *((str(name).replace("_", " "), str(value)) for name, value in (data.get("context") or {}).items()),
    ]
    title = " → ".join(str(each["data"].get("operation")) for each in run)
    blocks: list[Block] = [Facts(facts), records_table(run, "Records"), *records_folded(run)]
    return Card(title, Word(worst, _TONES.get(worst, QUIET)), blocks)


def _rank(outcome: str) -> int:
    return _WORST_FIRST.index(outcome) if outcome in _WORST_FIRST else len(_WORST_FIRST)


def _server(record: Record) -> str:
    version = record["data"].get("restate_version")
    return f"{record.get('source')}{f' (Restate {version})' if version else ''}"


def _never_ended(records: t.Sequence[Record]) -> Section:
    blocks: list[Block] = [
        Text(
            f"{count(len(records), 'attempt')} began to write and left no outcome: the task was killed. "
            "Run the doctor, then the task again.",
            BAD,
        )
    ]
    for record in records:
        data = record["data"]
        facts = Facts(
            [
                ("When", moment(record.get("time"))),
                ("Who", str(data.get("actor"))),
                ("About", str(record["subject"])),
            ]
        )
        blocks.append(
            Card(str(data.get("operation")), outcome_word(record), [facts, *records_folded([record])])
        )
    return Section("open", "Begun and never ended", blocks)
