# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/error-codes.md: the codes of this collection, and those of Restate's that an operator meets.

    make docs-errors

What helps is the code's own text. What a code of Restate's means, where no code of ours says it, is said here, after
crates/errors/src/error_codes of v1.7.6.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ansible_collections.dalp.restate.plugins.module_utils._errors import ERROR_CODES
from ansible_collections.dalp.restate.plugins.module_utils._operations.invocations.failures import FAILURES
from ansible_collections.dalp.restate.plugins.module_utils._restate import registration_remedies

PAGE = Path(__file__).resolve().parents[1] / "docs" / "error-codes.md"

# What a code means, and what helps where neither table of the code says it.
OF_RESTATE: dict[str, tuple[str, str]] = {
    "RT0011": (
        "No deployment serves the invocation: the one that it is pinned to was removed, or nothing offers its service.",
        "Resume it on a deployment that does: `dalp.restate.resume` with `restate_deployment=latest`. Where "
        "nothing offers the service, register a release that does, first.",
    ),
    "META0003": (
        "The service does not answer discovery at its URL.",
        ERROR_CODES["RESTATE_SERVICE_UNREACHABLE"].remedy,
    ),
    "META0004": ("Another registered deployment has this URL.", ""),
    "META0006": ("A service would change its type, or a revision does not fit the one before.", ""),
    "META0012": (
        "The server and the SDK of the service have no version of the service protocol in common.",
        "",
    ),
    "META0013": ("What answers discovery is no Restate service, or its SDK does not fit the server.", ""),
    "META0014": ("The service was asked in HTTP/2, and speaks HTTP/1.1 only.", ""),
    "META0015": (
        "The service wants streams in both directions, and the way to it has none (AWS Lambda, HTTP/1.1).",
        "",
    ),
    "META0017": ("Several deployments have this URL, so that it is not clear which one to overwrite.", ""),
}

HEAD = """# Error codes

A task that fails has `error` with `code`, `message`, `remedy` and, where they apply, `reason`, `invocation_ids`,
`deployment_ids` and `http`. The `remedy` of an error is more precise than this table where more is known. What the
doctor finds is in [Findings](findings.md).

<!-- `make docs-errors` writes this page from the code. -->
"""

OF_RESTATE_HEAD = """## Codes of Restate

They stand in Restate's messages, in `error.http.restate_code`, and in the failures of invocations. RT codes are of
attempts, META codes of registrations.
"""

WORDS = ("pinned", "key")
"""What the page links to its meaning."""


def remedy_of(code: str) -> str:
    """Return what helps with a code of Restate's."""
    if code in FAILURES:
        return FAILURES[code].cure
    return OF_RESTATE[code][1] or registration_remedies.registration_remedy(code)


def meaning_of(code: str) -> str:
    """Return what a code of Restate's means."""
    if code in FAILURES:
        meaning = FAILURES[code].meaning
        return f"{meaning[0].upper()}{meaning[1:]}."
    return OF_RESTATE[code][0]


def table(rows: Iterable[tuple[str, str, str]]) -> str:
    """Return a table of codes."""
    lines = [f"| `{code}` | {meaning} | {remedy} |\n" for code, meaning, remedy in rows]
    return "| code | what it means | what to do |\n|---|---|---|\n" + "".join(lines)


def with_words(text: str) -> str:
    """Return a text in which each of the words is linked to its meaning where it first stands."""
    for word in WORDS:
        text = text.replace(f" {word} ", f" [{word}](words.md#{word}) ", 1)
    return text


def page() -> str:
    """Return the whole page."""
    ours = table((code, entry.meaning, entry.remedy) for code, entry in ERROR_CODES.items())
    codes = sorted(OF_RESTATE.keys() | FAILURES.keys(), key=lambda code: (code.startswith("META"), code))
    theirs = table((code, meaning_of(code), remedy_of(code)) for code in codes)
    return with_words(f"{HEAD}\n## Codes of this collection\n\n{ours}\n{OF_RESTATE_HEAD}\n{theirs}")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
