# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of each key or invocation, and why it had failed."""

from __future__ import annotations

import typing as t
from collections import Counter

from ..summary import Result, Run, Step
from .page import BAD, GOOD, INFO, QUIET, WARN, Block, Cell, Facts, Folded, Section, Table, Text, Word
from .texts import count, cut, size_of

_TONES = {
    "recovered": GOOD,
    "resumed": GOOD,
    "blank": QUIET,
    "unchanged": QUIET,
    "blocked": WARN,
    "failed": BAD,
    "unknown": WARN,
}
_GRAVEST_FIRST = ("failed", "unknown", "blocked", "recovered", "resumed", "unchanged", "blank")
_MOST_KEYS = 1000
_MOST_KINDS = 10
_OPEN = 25
"""Up to so many keys, the table is shown at once."""
_ALL_TEXTS = 150_000
_LONGEST = 4_000
_LONGEST_OF_A_KIND = 400


def keys_of(run: Run) -> Section | None:
    """Return what became of the keys of all steps, what needs a person first; None where there are no keys."""
    failures = _recent_failures(run)
    blocks = [block for step in run.steps for block in _blocks(step, failures)]
    return Section("keys", "Each key, and what became of it", blocks) if blocks else None


def _recent_failures(run: Run) -> dict[str, str]:
    """Return, by key and by invocation, the failures that the examinations told."""
    found = {}
    for seen in (run.before.result, run.after.result):
        for each in (seen.get("invocations") or {}).get("recent_failures") or []:
            told = str(each.get("failure") or "")
            found[str(each.get("id"))] = told
            found[f"{each.get('service_name')}/{each.get('service_key')}"] = told
    return found


class _Line(t.NamedTuple):
    name: str
    outcome: str
    done: str
    failure: str


def _blocks(step: Step, failures: t.Mapping[str, str]) -> list[Block]:
    lines = sorted(
        (_line(each, failures) for each in step.result.get("results") or []),
        key=lambda line: _rank(line.outcome),
    )
    if not lines:
        return []
    number = Counter(line.outcome for line in lines)
    facts = Facts(
        [(outcome, Word(f"{many:,}", _TONES.get(outcome, QUIET))) for outcome, many in number.items()]
    )
    table = _table(step, lines[:_MOST_KEYS])
    more = len(lines) - _MOST_KEYS
    left_out = (
        [Text(f"{count(more, 'more key')} ended as the last ones here; the result names all.")]
        if more > 0
        else []
    )
    if len(lines) <= _OPEN:
        return [facts, table]
    return [facts, _kinds(step, lines), Folded(f"All {len(table.rows):,}, one by one", [table, *left_out])]


def _rank(outcome: str) -> int:
    return _GRAVEST_FIRST.index(outcome) if outcome in _GRAVEST_FIRST else 0


def _line(result: Result, failures: t.Mapping[str, str]) -> _Line:
    key = f"{result.get('service_name')}/{result.get('service_key')}"
    is_key = "service_key" in result
    name = key if is_key else str(result.get("target") or result.get("invocation_id"))
    known = failures.get(key if is_key else str(result.get("invocation_id")), "")
    return _Line(
        name, str(result.get("outcome")), _done(result), " ".join(str(result.get("failure") or known).split())
    )


def _done(result: Result) -> str:
    """Return what was done, and why not more."""
    told = [f"{len(result[name]):,} {name}" for name in ("killed", "purged", "cleared") if result.get(name)]
    told += ["submitted again"] if result.get("resubmitted") else []
    if result.get("deployment_id"):
        told.append(f"on {result['deployment_id']}")
    why = ": ".join(str(result[name]) for name in ("reason", "message") if result.get(name))
    return "; ".join([*told, *([why] if why else [])])


def _cells(line: _Line, size: int) -> list[Cell]:
    """Return the cells of a row whose texts together have O(size) bytes."""
    name = cut(line.name, size // 2)
    done = cut(line.done, (size - size_of(name)) // 2)
    failure = cut(line.failure, size - size_of(name) - size_of(done))
    return [name, Word(line.outcome, _TONES.get(line.outcome, INFO)), done, failure]


def _table(step: Step, lines: t.Sequence[_Line]) -> Table:
    size = min(_LONGEST, _ALL_TEXTS // len(lines))
    return Table(_caption(step), _columns("Key", step), [_cells(line, size) for line in lines])


def _columns(first: str, step: Step) -> tuple[str, ...]:
    return (first, "Would be" if step.is_dry else "Outcome", "What, and why", "How it had failed")


def _caption(step: Step) -> str:
    return f"{step.name}: each key{', as predicted' if step.is_dry else ''}"


def _kinds(step: Step, lines: t.Sequence[_Line]) -> Table:
    """Return how many keys are alike in how they had failed and what became of them."""
    number = Counter(line._replace(name="") for line in lines)
    ranked = sorted(number.items(), key=lambda item: (_rank(item[0].outcome), -item[1]))
    rows = [[f"{many:,}", *_cells(line, _LONGEST_OF_A_KIND)[1:]] for line, many in ranked[:_MOST_KINDS]]
    more = len(ranked) - len(rows)
    caption = f"{step.name}: keys that are alike" + (f" ({more:,} more kinds below)" if more > 0 else "")
    return Table(caption, _columns("Keys", step), rows)
