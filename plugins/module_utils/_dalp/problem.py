# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What DALP says is wrong. Three envelopes are in use, and all are understood.

The first is C({code, status, message, data}). The second is C({error: {id, category, message, why, fix, details}}). The
third is oRPC's, which has the object of the second under C(data.dapiError), or under C(error.data.dapiError).
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from .._http.credentials import Secrets
from .._thirdparty import httpx

_SHOWN_TEXT = 2000
INSPECT = (
    "Inspect reason and invocation_ids before you decide whether to retry later or to investigate by hand."
)
"""What to do about a key that is blocked, as DALP documents it."""
# The names are expected to change as the route's segment did; what follows the product's name is not.
_CODES = {
    "USER_PERMISSION_REQUIRED": "OFFCHAIN_USER_PERMISSION_REQUIRED",
    "ADMIN_UNREACHABLE": "RESTATE_ADMIN_UNREACHABLE",
    "DEPLOYMENT_NOT_FOUND": "RESTATE_DEPLOYMENT_NOT_FOUND",
    "WORKFLOW_RETRY_BLOCKED": "RESTATE_WORKFLOW_RETRY_BLOCKED",
}


@dataclass(frozen=True)
class Problem:
    """O(code) is one of the four that the operator routes document, O(own_code) whatever DALP calls it."""

    message: str
    code: str | None = None
    own_code: str | None = None
    fix: str | None = None
    reason: str | None = None
    invocation_ids: list[str] | None = None

    @classmethod
    def of(cls, response: httpx.Response, secrets: Secrets) -> Problem:
        """Return what an error answer tells, without these secrets; a proxy's page tells its beginning."""
        try:
            parts = list(_parts(response.json()))
        except ValueError:
            parts = []
        codes = [
            text for name in ("dalpCode", "code", "id") for part in parts if (text := _text(part.get(name)))
        ]
        known = next(
            (ours for code in codes for end, ours in _CODES.items() if code.endswith(end)),
            None,
        )
        ids = next((part["invocationIds"] for part in parts if part.get("invocationIds")), None)
        message = _first(parts, "message") or _beginning(response)
        fix = _first(parts, "fix") or _first(parts, "suggestedAction")
        return cls(
            message=secrets.hidden(_sentence(message) + _wrong_fields(parts)),
            code=known,
            own_code=codes[0] if codes else None,
            fix=secrets.hidden(fix) if fix else None,
            reason=next((text for part in parts if (text := _reason(part.get("reason")))), None),
            invocation_ids=[str(each) for each in ids] if isinstance(ids, list) else None,
        )


def _parts(body: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield the objects of an envelope, the innermost first: the outer ones repeat it in fewer words."""
    if isinstance(body, dict):
        for name in ("error", "data", "dapiError", "details"):
            yield from _parts(body.get(name))
        yield body


def _first(parts: list[dict[str, t.Any]], name: str) -> str | None:
    return next((text for part in parts if (text := _text(part.get(name)))), None)


def _reason(value: t.Any) -> str | None:
    """Return a reason, which is documented as structured, as a text."""
    if isinstance(value, dict) and value:
        names = ("code", "kind", "type")
        return (
            next((text for name in names if (text := _text(value.get(name)))), None)
            or json.dumps(value)[:200]
        )
    return _text(value)


def _wrong_fields(parts: list[dict[str, t.Any]]) -> str:
    errors = next((part["errors"] for part in parts if part.get("errors")), None)
    return f" {json.dumps(errors)[:500]}" if errors else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _text(value: t.Any) -> str | None:
    return value[:_SHOWN_TEXT] if isinstance(value, str) and value else None


def _beginning(response: httpx.Response) -> str:
    return " ".join(response.text.split())[:200] or response.reason_phrase or "an empty answer"
