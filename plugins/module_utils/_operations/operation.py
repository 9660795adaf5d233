# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operation is: its options, and how it is done with each backend.

A module file makes an Operation. It runs on any Python that Ansible supports, so this file imports nothing that needs a
newer one: what does the work is imported when it is needed.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from .approval import Subject
    from .journal import Journal
    from .report import Report

DURATION = {"value": "duration"}
"""Marks a field of a request that people write as 90s, 15m, 2h or 3d, and that is in seconds here."""
INSTANT = {"value": "instant"}
"""Marks a field that people write as a time with its zone or as an age, and that is a timestamp or an `Age` here."""
STRINGS = {"value": "strings"}
"""Marks a field that is a dictionary whose values are strings here, whatever YAML made of them."""
INVOCATION_IDS = {"value": "invocation_ids"}
"""Marks a field that is a list of ids of invocations."""


def options(request: type) -> dict[str, t.Any]:
    """Mark a field that is a dictionary with options of its own, and of this type here."""
    return {"value": request}


@dataclass(frozen=True)
class Backend:
    """How an operation is done with one backend, step by step.

    The fields of O(request), a dataclass, are the options that the backend can honour.
    O(observe) reads all that the plan needs. O(plan) is a pure function of what was observed and asked; what it returns
    is frozen and has an O(error) where nothing may be done. O(predict) returns the journal that the plan would lead to,
    O(apply) does the work, verifies it and keeps the journal. O(report) is a pure function of plan and journal.
    O(subjects) is what is approved of a plan, pure, too; None where what comes of a plan cannot be predicted.
    """

    request: type
    observe: t.Callable[[t.Any, t.Any], t.Any]
    plan: t.Callable[[t.Any, t.Any], t.Any]
    predict: t.Callable[[t.Any], Journal]
    apply: t.Callable[[t.Any, t.Any, Journal], None]
    report: t.Callable[[t.Any, Journal], Report]
    subjects: t.Callable[[t.Any], t.Sequence[Subject]] | None = None


@dataclass(frozen=True)
class Operation:
    """An operation and its own options, as Ansible's argument specs have them.

    O(backend) returns how it is done with a backend, by its name, or None where it cannot be. O(constraints) are those
    between options, named as AnsibleModule names them. O(is_write) says that it has plans to be approved.
    """

    name: str
    argument_spec: dict[str, t.Any]
    backend: t.Callable[[str], Backend | None]
    constraints: dict[str, t.Any] = field(default_factory=dict)
    is_write: bool = True
