# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping secrets out of whatever leaves a task.

What is secret is decided where it enters: options with no_log (of headers, those whose names tell it), and the userinfo
of URLs. It is hidden in what others write, where that enters; our own words, keys, and values that feed later tasks are
left as they are. The patterns of a site are for what others write, too, and for the key of a workflow where people read
it.
"""

from __future__ import annotations

import re
import typing as t

from .._audit.record import GENERATED, Record
from .._errors import OperatorError
from .._http import urls
from .._http.credentials import Secrets, is_secret_header, secrets_of_headers, secrets_of_url
from .._redact import BUDGET_SECONDS, HIDDEN, Patterns, visible

PATTERNS_TOOK_TOO_LONG = (
    f"redact_patterns took longer than {BUDGET_SECONDS:g} s to match. Texts of others are hidden as a whole. Simplify "
    "the patterns: nested repetitions such as (a+)+ can take years."
)

_USERINFO = re.compile(r"(?<=://)[^/?#\s'\"<>]*@")
_MOST_ENTRIES = 100
_DONE_BEFORE = GENERATED | {"arguments", "reason", "actor", "context", "restate_version"}
_NAMES = ("id", "target", "service_name", "service_key", "deployment_id", "kind", "failed_at", "status")
_OURS = {"msg", "message", "remedy", "changed_reason", "note", "error_message", "warnings"}
"""Our own sentences in a result, in which names of others stand."""
_TARGETS = {"target", "workflow", "subject", "subjects"}
"""What names a key with its service."""
_FAILURES = {"failure", "cleared"}
"""What others wrote, and no later task needs."""
_OF_OTHERS = {"state", "promises", "metadata"}
"""What others wrote in a diff, lists and dictionaries; a C(state) that is a text is a word of ours."""
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


def patterns_of(params: t.Mapping[str, t.Any]) -> tuple[Patterns, OperatorError | None]:
    """Return redact_patterns, and why they are refused; what others wrote is hidden whole then."""
    given = params.get("redact_patterns") or []
    try:
        return Patterns([re.compile(str(pattern)) for pattern in given]), None
    except (re.error, OverflowError, RecursionError) as exc:
        error = OperatorError(
            "RESTATE_INVALID_ARGUMENT", f"redact_patterns holds no regular expression: {exc}."
        )
        return Patterns([re.compile(".+", re.DOTALL)]), error


def secrets_of(
    params: dict[str, t.Any],
    secret_options: t.Collection[str],
    url_options: t.Iterable[str],
    patterns: Patterns | None = None,
) -> Secrets:
    """Return what must not be shown of the options of a task, also of those that are refused."""
    found: set[str] = set()
    for name in secret_options:
        value = params.get(name)
        if isinstance(value, dict):
            found |= secrets_of_headers(value)
        elif value is not None and not isinstance(value, list):
            found.add(str(value).strip())
    for name in url_options:
        for url in urls.several(params.get(name)):
            found |= secrets_of_url(url)
    texts = frozenset(found - {""})
    return Secrets(texts) if patterns is None else Secrets(texts, patterns)


def without_userinfo(value: t.Any) -> t.Any:
    """Return the value with the userinfo of URLs taken out of all its texts."""
    if isinstance(value, str):
        return _USERINFO.sub("", value) if "://" in value else value
    if isinstance(value, dict):
        return {without_userinfo(key): without_userinfo(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_userinfo(item) for item in value]
    return value


def hidden_in(value: t.Any, secrets: Secrets, names: t.Collection[str] = _NAMES) -> t.Any:
    """Return a value that somebody else wrote, without secrets in its texts; the O(names) of what it is about stay."""
    if isinstance(value, str):
        return secrets.hidden(value)
    if isinstance(value, dict):
        return {
            name: each if name in names else hidden_in(each, secrets, names) for name, each in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [hidden_in(each, secrets, names) for each in value]
    return value


class Redactor:
    """Shows results and sentences of ours without what is secret, and without what acts on a terminal.

    Sentences name keys of workflows. What a pattern matches of these, and of what was given, is hidden there; the names
    are learned, since a sentence does not tell them from the words around them.
    """

    def __init__(self, secrets: Secrets, given: t.Any = None) -> None:
        self._secrets = secrets
        self._patterns = secrets.patterns
        self._keys: dict[str, dict[str, str]] = {}
        self._given: dict[str, str] = {}
        self._urls: dict[str, str] = {}
        self.learn(given)
        self._learn_given(given)

    @classmethod
    def of_site(cls, patterns: Patterns) -> Redactor:
        """Return one that knows what its site calls secret, for results that left their tasks."""
        return cls(Secrets(patterns=patterns))

    def learn(self, value: t.Any) -> None:
        """Take up the names in what was given, or in a result, before a sentence is shown that has them."""
        if not self._patterns:
            return
        if isinstance(value, dict):
            self._learn_entry(value)
            for item in value.values():
                self.learn(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                self.learn(item)

    def text(self, ours: str) -> str:
        """Return a sentence of ours as people may see it, in one line."""
        shown: str = without_userinfo(ours)
        if self._given:
            shown = _QUOTED.sub(lambda found: self._given.get(found[0], found[0]), shown)
        for url, hidden in self._urls.items():
            shown = shown.replace(url, hidden)
        for service, keys in self._keys.items():
            shown = _with_hidden_keys(shown, f"{service}/", keys)
        return visible(shown)

    def name(self, subject: str) -> str:
        """Return the name of what a plan is about; of a key with its service, only the key may be hidden."""
        service, slash, key = subject.partition("/")
        if "://" in subject or not slash:
            return self._patterns.replaced(without_userinfo(subject))
        return f"{service}/{self._patterns.replaced(key)}"

    def result(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return a result as it leaves the task: names stay whole for later tasks, but not in sentences and diffs."""
        self.learn(result)
        shown: dict[str, t.Any] = {name: self._structured(name, value) for name, value in result.items()}
        invocations = shown.get("invocations")
        if isinstance(invocations, dict) and "recent_failures" in invocations:
            failures = hidden_in(invocations["recent_failures"], self._secrets)
            shown["invocations"] = {**invocations, "recent_failures": failures}
        return shown

    def for_people(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return a result that left a task as a page or a summary shows it."""
        if not self._patterns:
            return result
        self.learn(result)
        shown: dict[str, t.Any] = self._for_people("", result)
        return shown

    def record(self, record: Record) -> dict[str, t.Any]:
        """Return a record as it may be kept; its arguments, reason, actor and context are so already."""
        self.learn(record)
        data = {
            name: value if name in _DONE_BEFORE else self._for_people(name, value)
            for name, value in record["data"].items()
        }
        shown: dict[str, t.Any] = without_userinfo({**record, "data": {}})
        return {**shown, "subject": self.name(record["subject"]), "data": data}

    def _structured(self, name: str, value: t.Any) -> t.Any:
        if name == "diff":
            return self._for_people(name, value)
        if isinstance(value, str):
            return self._structured_text(name, value)
        if isinstance(value, dict):
            return {without_userinfo(each): self._structured(each, item) for each, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._structured(name, item) for item in value]
        return value

    def _structured_text(self, name: str, value: str) -> str:
        if name in _OURS:
            return self.text(value)
        if name in _FAILURES:
            return self._secrets.hidden(value)
        shown: str = without_userinfo(value)
        # That of a request, which names a key in its path.
        return self._patterns.replaced(shown) if name == "url" else shown

    def _for_people(self, name: str, value: t.Any) -> t.Any:
        if name in _OF_OTHERS and not isinstance(value, str):
            return hidden_in(value, self._secrets, names=())
        if isinstance(value, str):
            return self._text_for_people(name, value)
        if isinstance(value, dict):
            return self._dict_for_people(value)
        if isinstance(value, (list, tuple)):
            return [self._for_people(name, item) for item in value]
        return value

    def _text_for_people(self, name: str, value: str) -> str:
        if name == "plan_digest":
            return value
        if name in _TARGETS:
            return self.name(value)
        if name == "service_key" or name in _FAILURES:
            return self._secrets.hidden(without_userinfo(value))
        return self.text(value)

    def _dict_for_people(self, value: dict[str, t.Any]) -> dict[str, t.Any]:
        shown: dict[str, t.Any] = {}
        for each, item in value.items():
            told = self.text(each)
            name, number = told, 2
            while name in shown:
                # Two keys that are hidden must not become one.
                name, number = f"{told} {number}", number + 1
            shown[name] = self._for_people(each, item)
        return shown

    def _learn_entry(self, entry: dict[str, t.Any]) -> None:
        service, key = entry.get("service_name"), entry.get("service_key")
        if isinstance(service, str) and isinstance(key, str):
            self._learn(service, key)
        url = without_userinfo(entry.get("service_url"))
        if isinstance(url, str) and self._patterns.replaced(url) != url:
            self._urls[url] = self._patterns.replaced(url)
        for name in _TARGETS & entry.keys():
            for target in entry[name] if isinstance(entry[name], list) else [entry[name]]:
                self._learn_target(target)

    def _learn_target(self, target: t.Any) -> None:
        if not isinstance(target, str) or "://" in target:
            return
        service, slash, rest = target.partition("/")
        if slash:
            self._learn(service, rest)
            self._learn(service, rest.rpartition("/")[0])

    def _learn(self, service: str, key: str) -> None:
        hidden = self._patterns.replaced(key)
        if hidden != key:
            self._keys.setdefault(service, {})[key] = hidden

    def _learn_given(self, value: t.Any) -> None:
        """Take up what an error quotes of what was given."""
        if isinstance(value, str):
            hidden = self._patterns.replaced(value)
            if hidden != value:
                self._given[repr(value)] = repr(hidden)
        elif isinstance(value, dict):
            for item in value.values():
                self._learn_given(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                self._learn_given(item)


def _with_hidden_keys(text: str, before: str, keys: t.Mapping[str, str]) -> str:
    """Return a text with the keys that stand after O(before) hidden, the longest first: one may begin like another."""
    if before not in text:
        return text
    sizes = sorted({len(key) for key in keys}, reverse=True)
    first, *others = text.split(before)
    parts = [first]
    for other in others:
        key = next((other[:size] for size in sizes if other[:size] in keys), None)
        parts += [before, other if key is None else keys[key] + other[len(key) :]]
    return "".join(parts)


def redacted_arguments(params: dict[str, t.Any], secret_options: t.Collection[str]) -> dict[str, t.Any]:
    """Return the options as they may be shown: the values of secret ones hidden, unset ones left out."""
    shown = {}
    for name, value in params.items():
        if value is None:
            continue
        if name not in secret_options:
            shown[name] = without_userinfo(value)
        elif isinstance(value, dict):
            shown[name] = {
                header: HIDDEN if is_secret_header(header) else without_userinfo(text)
                for header, text in value.items()
            }
        elif isinstance(value, list):
            # Of a list, a person needs to know whether it is set.
            shown[name] = f"{len(value)} hidden" if value else []
        else:
            shown[name] = HIDDEN
    return shown


def shown_arguments(
    params: dict[str, t.Any],
    secret_options: t.Collection[str],
    url_options: t.Iterable[str],
    patterns: Patterns | None = None,
    plain_options: t.Collection[str] = (),
) -> dict[str, t.Any]:
    """Return the options of a task as they may be shown, also those that are refused.

    The values of O(plain_options) are words of ours.
    """
    shown = redacted_arguments(params, secret_options)
    for name in url_options:
        given = shown.get(name, "")
        if isinstance(given, list):
            shown[name] = [_shown_url(url) for url in urls.several(given)]
        elif given:
            shown[name] = _shown_url(str(given))
    if patterns:
        own = {*plain_options, *secret_options}
        shown = {
            name: value if name in own else hidden_in(value, Secrets(patterns=patterns), names=())
            for name, value in shown.items()
        }
    return shown


def in_short(arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the options of a task without the entries of long lists, which the record of the attempt names."""
    return {
        name: f"{len(value):,} entries, as in audit.data.arguments" if _is_long(value) else value
        for name, value in arguments.items()
    }


def _is_long(value: t.Any) -> bool:
    return isinstance(value, list) and len(value) > _MOST_ENTRIES


def _shown_url(url: str) -> str:
    # A query is refused, since there may be a secret in it, and would be shown with the refusal; so would the userinfo
    # of what is no URL.
    return urls.without_secrets(url) if set("?#@") & set(url) else url
