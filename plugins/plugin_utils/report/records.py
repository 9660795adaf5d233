# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Audit records in words."""

from __future__ import annotations

import json
import typing as t

from .page import BAD, GOOD, INFO, QUIET, WARN, Block, Cell, Folded, Raw, Table, Text, Word
from .texts import cut, moment

Record = t.Mapping[str, t.Any]

_TONES = {"succeeded": GOOD, "planned": INFO, "refused": WARN, "failed": BAD, "attempted": BAD}
_LONGEST = 500
_MOST_JSON = 12_000
_COLUMNS = ("Time", "Operation", "Outcome", "About", "Changed", "Before and after")

EXPLANATION = Text(
    "Before and after are compared by a fingerprint of what the operation is about: the deployments, or what Restate "
    "holds of the keys. With audit_detail: full the record has the contents, too."
)


def outcome_word(record: Record) -> Word:
    """Return how an attempt ended, in a word; one that has no outcome was killed."""
    outcome = str(record["data"].get("outcome"))
    return Word("begun, never ended" if outcome == "attempted" else outcome, _TONES.get(outcome, QUIET))


def records_table(records: t.Sequence[Record], caption: str) -> Table:
    """Return a row for each record."""
    return Table(caption, _COLUMNS, [_row(record) for record in records])


def _row(record: Record) -> list[Cell]:
    data = record["data"]
    error = f"{data['error_code']}: {data.get('error_message')}" if data.get("error_code") else ""
    about = f"{record.get('subject')}{f' ({error})' if error else ''}"
    return [
        moment(record.get("time")),
        str(data.get("operation")),
        outcome_word(record),
        cut(about, _LONGEST),
        _changed(data),
        in_words(data),
    ]


def _changed(data: Record) -> str:
    if data.get("outcome") == "attempted":
        return "not known"
    if not data.get("changed"):
        return "no"
    return "would change" if data.get("check_mode") else "yes"


def in_words(data: Record) -> str:
    """Return what the fingerprints of a record say."""
    before, after = data.get("before_digest"), data.get("after_digest")
    if not before or not after:
        return "not recorded"
    if data.get("operation") == "doctor":
        return "only read"
    if before == after:
        return "the same"
    return "would differ" if data.get("check_mode") else "differ"


def records_folded(records: t.Sequence[Record]) -> list[Block]:
    """Return all that the records hold, for whoever asks."""
    return [
        Folded(
            f"{record['data'].get('operation')}, {moment(record.get('time'))}: the whole record",
            [_raw(record)],
        )
        for record in records
    ]


def _raw(record: Record) -> Raw:
    text = json.dumps(record, indent=2, ensure_ascii=False)
    return Raw(f"Record {record.get('id')}", cut(text, _MOST_JSON))
