# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The digest of a plan, as an operator approves it, and what differs from it. Pure."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from dataclasses import dataclass
from urllib.parse import quote, unquote

from .._errors import OperatorError
from .report import SAMPLE, count, digest, sample

NOTHING = "nothing"
"""The action on a subject about which nothing is to be done."""

MOST_NAMED = 100
"""A digest of more subjects than these holds how many there are of each action, and no names."""

_FORM = "1"
# Not what Ansible or a shell would take for their own, nor what parts a digest.
_SAFE = "/:.-_ "
_WHOLE_DIGITS, _SUBJECT_DIGITS = 32, 10
_WHOLE = rf"([0-9a-f]{{{_WHOLE_DIGITS}}})?"


@dataclass(frozen=True)
class Subject:
    """What a plan says of a deployment, a key or an invocation: O(content) is all that makes it the same plan."""

    name: str
    action: str
    content: t.Any = None


@dataclass(frozen=True)
class PlanDigest:
    """What tells a plan of an operation from any other, and, by O(entries), how it differs.

    An entry is a subject's name, action and hash. O(counts) are how many subjects each action has. Without a O(whole)
    nothing was approved.
    """

    operation: str
    whole: str
    entries: tuple[tuple[str, str, str], ...]
    counts: t.Mapping[str, int]

    @classmethod
    def of(
        cls, operation: str, subjects: t.Sequence[Subject], *, shown: t.Callable[[str], str] = str
    ) -> PlanDigest:
        """Return the digest of a plan; O(shown) takes out of a name what must not be shown."""
        named = sorted(subjects, key=lambda each: each.name)
        hashes = [digest([each.name, each.action, each.content]) for each in named]
        entries = tuple(
            (shown(each.name), each.action, hashed[:_SUBJECT_DIGITS])
            for each, hashed in zip(named, hashes, strict=True)
        )
        counts = Counter(each.action for each in named)
        is_named = len(named) <= MOST_NAMED
        return cls(operation, digest(hashes)[:_WHOLE_DIGITS], entries if is_named else (), counts)

    @classmethod
    def read(cls, text: str, operation: str) -> PlanDigest:
        """Return a digest that was given; raise RESTATE_INVALID_ARGUMENT for what is none of this operation."""
        try:
            own, form, whole, *parts = text.strip().split(",")
            if (own, form) != (operation, _FORM) or not re.fullmatch(_WHOLE, whole) or (parts and not whole):
                raise ValueError(text)
            entries = tuple(_entry(part) for part in parts if "=" in part)
            counted = (part.split("*") for part in parts if "=" not in part)
            counts = Counter({action: int(number) for action, number in counted})
        except ValueError:
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                f"plan_digest is not what a dry run of restate_{operation} returned; nothing was sent.",
                remedy="Run it with --check and give the plan_digest of its result as it is.",
            ) from None
        return cls(operation, whole, entries, counts or Counter(action for _name, action, _hash in entries))

    def __str__(self) -> str:
        """Return it as one word that neither Ansible nor a shell changes."""
        parts = [
            f"{quote(name, safe=_SAFE).replace(' ', '+')}={action}:{each}"
            for name, action, each in self.entries
        ]
        parts = parts or [f"{action}*{number}" for action, number in sorted(self.counts.items())]
        return ",".join([self.operation, _FORM, self.whole, *parts])


@dataclass(frozen=True)
class Approval:
    """What was approved of an operation: O(given) is the plan's digest, or None where any plan will do.

    O(shown) takes out of the name of a subject what must not be shown.
    """

    operation: str
    given: PlanDigest | None = None
    shown: t.Callable[[str], str] = str

    def digest(self, subjects: t.Sequence[Subject]) -> PlanDigest:
        """Return the digest of a plan."""
        return PlanDigest.of(self.operation, subjects, shown=self.shown)

    def refusal(self, now: PlanDigest) -> OperatorError | None:
        """Return why a plan must not be carried out, or None."""
        difference = what_differs(self.given, now) if self.given else None
        if difference is None:
            return None
        return OperatorError(
            "RESTATE_PLAN_CHANGED",
            f"The plan is not the one that was approved: {difference}. Nothing was touched.",
        )


def _entry(part: str) -> tuple[str, str, str]:
    name, _, rest = part.rpartition("=")
    action, hashed = rest.split(":")
    return unquote(name.replace("+", " ")), action, hashed


def nothing_approved(operation: str) -> str:
    """Return the digest that no plan has, for a step that an approved runbook does not have."""
    return str(PlanDigest(operation, "", (), {}))


def what_differs(approved: PlanDigest, now: PlanDigest) -> str | None:
    """Return how a plan differs from what was approved, or None where it does not."""
    if approved.whole == now.whole:
        return None
    if not approved.whole:
        return "it is no step of what was approved"
    is_named = all(sum(each.counts.values()) == len(each.entries) for each in (approved, now))
    return _by_name(approved, now) if is_named else _by_number(approved, now)


def _by_number(approved: PlanDigest, now: PlanDigest) -> str:
    is_as_many = approved.counts == now.counts
    is_now = "as many, and others or otherwise" if is_as_many else _numbers(now.counts)
    return f"approved were {_numbers(approved.counts)}, now it is {is_now}"


def _numbers(counts: t.Mapping[str, int]) -> str:
    total = count(sum(counts.values()), "subject")
    told = ", ".join(f"{number} {action}" for action, number in sorted(counts.items()))
    return f"{total} ({told})" if told else total


def _by_name(approved: PlanDigest, now: PlanDigest) -> str:
    before = {name: (action, hashed) for name, action, hashed in approved.entries}
    after = {name: (action, hashed) for name, action, hashed in now.entries}
    both = [name for name in before if name in after and before[name] != after[name]]
    settled = [name for name in both if after[name][0] == NOTHING]
    told = {
        "nothing is left to do, so it is done already": [_was(name, before) for name in settled],
        "no longer there, so it is done already or gone": [
            _was(name, before) for name in before if name not in after
        ],
        "new": [_was(name, after) for name in after if name not in before],
        "changed": [_change(name, before, after) for name in both if name not in settled],
    }
    return "; ".join(f"{what}: {_some(names)}" for what, names in told.items() if names)


def _was(name: str, entries: t.Mapping[str, tuple[str, str]]) -> str:
    return f"{name} ({entries[name][0]})"


def _change(
    name: str, before: t.Mapping[str, tuple[str, str]], after: t.Mapping[str, tuple[str, str]]
) -> str:
    was, is_now = before[name][0], after[name][0]
    return f"{name} ({was})" if was == is_now else f"{name} ({was}, now {is_now})"


def _some(names: t.Sequence[str]) -> str:
    more = len(names) - SAMPLE
    return f"{sample(names)} and {more} more" if more > 0 else sample(names)
