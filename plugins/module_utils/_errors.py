# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong for an operator: a code, what it means, and what to do."""

from __future__ import annotations

import typing as t
from dataclasses import KW_ONLY, dataclass


@dataclass(frozen=True)
class ErrorCode:
    """What a code means, and the remedy that is shown unless the place that raises knows a better one."""

    meaning: str
    remedy: str


ERROR_CODES: dict[str, ErrorCode] = {
    "OFFCHAIN_USER_PERMISSION_REQUIRED": ErrorCode(
        "The caller does not have DALP's system operate permission.",
        "Use an operator account or update the caller's role before retrying.",
    ),
    "RESTATE_ADMIN_UNREACHABLE": ErrorCode(
        "The Restate admin API (or the ingress, or DALP) could not be resolved or reached.",
        "Check admin_url (or dalp_url) and the connectivity to it, then run restate_doctor again.",
    ),
    "RESTATE_DEPLOYMENT_NOT_FOUND": ErrorCode(
        "No registered deployment matches service_url.",
        "Run restate_doctor and use the exact registered service URL.",
    ),
    "RESTATE_WORKFLOW_RETRY_BLOCKED": ErrorCode(
        "The workflow key cannot be given a fresh start safely: something of it is active, it already succeeded, "
        "or a query or purge answered otherwise than expected.",
        "Look at reason and invocation_ids before you decide to wait, to allow more, or to investigate by hand.",
    ),
    "RESTATE_PERMISSION_REQUIRED": ErrorCode(
        "What stands in front of the Restate admin API refused the credentials (401 or 403).",
        "Set auth_token (RESTATE_AUTH_TOKEN) or headers to credentials that may use the admin API.",
    ),
    "RESTATE_SERVICE_UNREACHABLE": ErrorCode(
        "The service does not answer Restate's discovery at its URL.",
        "Start the service, or correct its URL so that the Restate server can reach it, then run the task again.",
    ),
    "RESTATE_REGISTRATION_REFUSED": ErrorCode(
        "The deployment cannot be registered as asked.",
        "Read the message and the diff; where the change is wanted, allow it with force or breaking.",
    ),
    "RESTATE_SERVICE_REMOVAL_REFUSED": ErrorCode(
        "The cleanup would take away a service, bring back an older revision, or remove more than max_removed.",
        "Read which services and deployments are named; register the release first, keep them, or allow it.",
    ),
    "RESTATE_DRAIN_TIMEOUT": ErrorCode(
        "Deployments still had pending invocations when drain_timeout was over.",
        "Wait and run it again, or decide with force_drain and pending what becomes of the pending work.",
    ),
    "RESTATE_QUERY_FAILED": ErrorCode(
        "Restate's SQL introspection failed, was cut short, or answered with warnings.",
        "Check that all partitions of the cluster are up, then run the task again; nothing was assumed.",
    ),
    "RESTATE_CLUSTER_UNAVAILABLE": ErrorCode(
        "A part of the Restate cluster is not there: a partition without a leader, or no quorum, for longer than the "
        "retries take.",
        "Start the nodes that are down, run restate_doctor until it is healthy, then run the task again.",
    ),
    "RESTATE_UNEXPECTED_RESPONSE": ErrorCode(
        "A server answered with something that the operation does not know.",
        "Check that admin_url is a Restate admin API, and read the server's own words in the message.",
    ),
    "RESTATE_UNHEALTHY": ErrorCode(
        "The doctor found what fail_on names.",
        "Follow the remedies of the findings, then run restate_doctor again.",
    ),
    "RESTATE_UNSUPPORTED": ErrorCode(
        "This server, this backend, or this machine, cannot do what was asked.",
        "Use another way that the message names, or upgrade.",
    ),
    "RESTATE_AUDIT_UNAVAILABLE": ErrorCode(
        "The audit record could not be kept, so nothing was done.",
        "Repair the audit log, then run the task again.",
    ),
    "RESTATE_PLAN_CHANGED": ErrorCode(
        "The plan is not the one whose plan_digest was given; nothing was done.",
        "Read what differs, make a new dry run, and give its plan_digest where what it would do is what you want.",
    ),
    "RESTATE_INTERRUPTED": ErrorCode(
        "The task was ended in the middle, by a signal or by an error in this collection.",
        "Run restate_doctor to see what is left, then run the task again; report an error in this collection.",
    ),
    "RESTATE_INVALID_ARGUMENT": ErrorCode(
        "An option has a value that cannot be right.",
        "Correct the option that the message names.",
    ),
}


@dataclass(eq=False, repr=False)
class OperatorError(Exception):
    """An error with a code of L(ERROR_CODES); turned into the failure of a task in one place.

    Without a O(remedy), the code's own is taken. O(http) is the request that failed. O(outcome_unknown) says that a
    write was sent and its answer was lost: it may have happened.
    """

    code: str
    message: str
    _: KW_ONLY
    remedy: str = ""
    reason: str | None = None
    invocation_ids: list[str] | None = None
    deployment_ids: list[str] | None = None
    http: dict[str, t.Any] | None = None
    outcome_unknown: bool = False

    def __post_init__(self) -> None:
        """Take the code's own remedy where no better one is known."""
        self.remedy = self.remedy or ERROR_CODES[self.code].remedy

    def __str__(self) -> str:
        return self.message

    @property
    def status(self) -> int | None:
        """The HTTP status of the answer that led here, or None where none came."""
        return (self.http or {}).get("status")

    def to_result(self) -> dict[str, t.Any]:
        """Return what a result shows of this error; what does not apply is left out."""
        shown = {
            "code": self.code,
            "message": self.message,
            "remedy": self.remedy,
            "reason": self.reason,
            "invocation_ids": self.invocation_ids,
            "deployment_ids": self.deployment_ids,
            "http": self.http,
        }
        return {key: value for key, value in shown.items() if value is not None}
