# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of DALP's operator routes, in the three forms that its documentation has had.

The codes and their meaning are documented. Their HTTP status, number and category are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Envelope = Literal["old", "direct", "orpc"]


@dataclass(frozen=True)
class Code:
    """What is the same in all errors of a code."""

    status: int
    general: str
    id: str
    category: str
    retryable: bool
    why: str
    fix: str


CODES = {
    "UNAUTHORIZED": Code(
        401,
        "UNAUTHORIZED",
        "DALP-9001",
        "authentication",
        False,
        "The API key is missing or unknown.",
        "Use a valid API key.",
    ),
    "OFFCHAIN_USER_PERMISSION_REQUIRED": Code(
        403,
        "FORBIDDEN",
        "DALP-0006",
        "permission",
        False,
        "The caller does not have system operate permission.",
        "Use an operator account or update the caller's role before retrying.",
    ),
    "RESTATE_ADMIN_UNREACHABLE": Code(
        503,
        "SERVICE_UNAVAILABLE",
        "DALP-9002",
        "dependency",
        True,
        "DALP could not resolve or reach the Restate admin API.",
        "Check Restate admin connectivity, then rerun doctor.",
    ),
    "RESTATE_DEPLOYMENT_NOT_FOUND": Code(
        404,
        "NOT_FOUND",
        "DALP-9003",
        "not_found",
        False,
        "Cleanup or redeploy could not find the expected deployment for the supplied service URL.",
        "Run doctor and use the exact registered service URL.",
    ),
    "RESTATE_WORKFLOW_RETRY_BLOCKED": Code(
        409,
        "CONFLICT",
        "DALP-9004",
        "conflict",
        False,
        "A condition prevents a safe retry.",
        "Inspect the reason and the invocation ids before deciding whether to retry later.",
    ),
    "NOT_FOUND": Code(404, "NOT_FOUND", "DALP-9005", "not_found", False, "No such route.", "Check the URL."),
    "INPUT_VALIDATION_FAILED": Code(
        422,
        "UNPROCESSABLE_CONTENT",
        "DALP-9006",
        "validation",
        False,
        "The request is not what the route takes.",
        "Correct the request.",
    ),
    "INTERNAL_SERVER_ERROR": Code(
        500, "INTERNAL_SERVER_ERROR", "DALP-9007", "internal", True, "Something unforeseen.", "Retry later."
    ),
}


class DalpError(Exception):
    """A route failed; `data` is what belongs to the code, such as a reason."""

    def __init__(self, code: str, message: str, **data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return CODES[self.code].status

    def body(self, envelope: Envelope) -> dict[str, Any]:
        """The answer's body in one of the forms."""
        code = CODES[self.code]
        if envelope == "old":
            return {"code": self.code, "status": code.status, "message": self.message, "data": self.data}
        inner = {
            "id": code.id,
            "category": code.category,
            "status": code.status,
            "retryable": code.retryable,
            "message": self.message,
            "why": code.why,
            "fix": code.fix,
            "details": {"code": self.code, **self.data},
        }
        if envelope == "direct":
            return {"error": inner}
        return {
            "defined": True,
            "code": code.general,
            "status": code.status,
            "message": self.message,
            "data": {
                "dapiError": inner,
                "dalpCode": self.code,
                "retryable": code.retryable,
                "suggestedAction": code.fix,
            },
        }
