# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the findings come to: whether the task fails, and the state of the server in one sentence."""

from __future__ import annotations

import typing as t

from ..._errors import OperatorError
from ..._restate.wire import Version
from ..report import count
from .components import COMPONENTS, Components
from .findings import Finding


def gate(
    fail_on: t.Sequence[str], components: Components, findings: t.Sequence[Finding]
) -> OperatorError | None:
    """Return the error with which the task must fail, or None."""
    statuses = {"degraded"} if "degraded" in fail_on else set()
    if {"unreachable", "degraded"} & set(fail_on):
        statuses.add("unreachable")
    for name in COMPONENTS:
        error = components[name].error
        if error and components[name].status in statuses:
            return OperatorError(
                error.code,
                f"The gate fail_on={fail_on} found {name} {components[name].status}: {error.message}",
                remedy=error.remedy,
                reason=f"{name}_{components[name].status}",
                http=error.http,
            )
    severities = {"critical", "warning"} if "warning" in fail_on else {"critical"} & set(fail_on)
    stopping = [finding for finding in findings if finding.severity in severities]
    if stopping:
        return OperatorError(
            "RESTATE_UNHEALTHY",
            f"The gate fail_on={fail_on} found {', '.join(finding.code for finding in stopping)}. "
            f"{stopping[0].message}",
            remedy=stopping[0].remedy,
            reason=stopping[0].code.lower(),
        )
    return None


def sentence(
    version: Version | None, findings: t.Sequence[Finding], *, healthy: bool, unasked: str = ""
) -> str:
    """Return the state of the server, and the first thing to do, in one sentence.

    `unasked` is a sentence on what was not looked at, and so is not meant by healthy.
    """
    name = f"Restate {version.version}" if version else "Restate"
    grave = [finding for finding in findings if finding.severity != "info"]
    if any(finding.code == "NOTHING_REGISTERED" for finding in findings) and not grave:
        return f"{name} answers, and nothing is registered there."
    if not grave:
        return f"{name} is healthy.{f' {unasked}' if unasked else ''}"
    head = "works, but needs attention" if healthy else "is not healthy"
    more = f" ({count(len(grave) - 1, 'more finding')})" if len(grave) > 1 else ""
    return f"{name} {head}: {grave[0].message.rstrip('.')}.{more} What to do: {grave[0].remedy}"
