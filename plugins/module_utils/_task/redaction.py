# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping secrets out of whatever leaves a task.

What is secret is decided where it enters: options with no_log (of headers, those whose names tell it), and the userinfo
of URLs. It is hidden in what others write, where that enters; our own words, keys, and values that feed later tasks are
left as they are.
"""

from __future__ import annotations

import re
import typing as t

from .._http import urls
from .._http.credentials import HIDDEN, Secrets, is_secret_header, secrets_of_headers, secrets_of_url

_USERINFO = re.compile(r"(?<=://)[^/?#\s'\"<>]*@")
_MOST_ENTRIES = 100
_NAMES = ("id", "target", "service_name", "service_key", "deployment_id")


def secrets_of(
    params: dict[str, t.Any], secret_options: t.Collection[str], url_options: t.Iterable[str]
) -> Secrets:
    """Return what must not be shown of the options of a task, also of those that are refused."""
    found: set[str] = set()
    for name in secret_options:
        value = params.get(name)
        if isinstance(value, dict):
            found |= secrets_of_headers(value)
        elif value is not None:
            found.add(str(value).strip())
    for name in url_options:
        for url in urls.several(params.get(name)):
            found |= secrets_of_url(url)
    return Secrets(frozenset(found - {""}))


def scrub(value: t.Any, patterns: t.Sequence[re.Pattern[str]] = ()) -> t.Any:
    """Return the value with what matches O(patterns), and the userinfo of URLs, replaced in all its texts."""
    if isinstance(value, str):
        for pattern in patterns:
            value = pattern.sub(HIDDEN, value)
        return _USERINFO.sub("", value) if "://" in value else value
    if isinstance(value, dict):
        return {scrub(key, patterns): scrub(item, patterns) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrub(item, patterns) for item in value]
    return value


def hidden_in(value: t.Any, secrets: Secrets) -> t.Any:
    """Return a value that somebody else wrote, without secrets in its texts; the names of what it is about stay."""
    if isinstance(value, str):
        return secrets.hidden(value)
    if isinstance(value, dict):
        return {name: each if name in _NAMES else hidden_in(each, secrets) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [hidden_in(each, secrets) for each in value]
    return value


def without_secrets_of_services(result: dict[str, t.Any], secrets: Secrets) -> dict[str, t.Any]:
    """Return a result whose failures, which services wrote, tell no secrets."""
    shown = dict(result)
    invocations = result.get("invocations")
    if isinstance(invocations, dict) and "recent_failures" in invocations:
        failures = hidden_in(invocations["recent_failures"], secrets)
        shown["invocations"] = {**invocations, "recent_failures": failures}
    if "results" in result:
        shown["results"] = [_without_secrets(each, secrets) for each in result["results"]]
    return shown


def _without_secrets(entry: dict[str, t.Any], secrets: Secrets) -> dict[str, t.Any]:
    failure = hidden_in(entry.get("failure"), secrets)
    return entry if failure == entry.get("failure") else {**entry, "failure": failure}


def redacted_arguments(params: dict[str, t.Any], secret_options: t.Collection[str]) -> dict[str, t.Any]:
    """Return the options as they may be shown: the values of secret ones hidden, unset ones left out."""
    shown = {}
    for name, value in params.items():
        if value is None:
            continue
        if name not in secret_options:
            shown[name] = scrub(value)
        elif isinstance(value, dict):
            shown[name] = {
                header: HIDDEN if is_secret_header(header) else scrub(text) for header, text in value.items()
            }
        else:
            shown[name] = HIDDEN
    return shown


def shown_arguments(
    params: dict[str, t.Any], secret_options: t.Collection[str], url_options: t.Iterable[str]
) -> dict[str, t.Any]:
    """Return the options of a task as they may be shown, also those that are refused."""
    shown = redacted_arguments(params, secret_options)
    for name in url_options:
        given = shown.get(name, "")
        if isinstance(given, list):
            shown[name] = [_shown_url(url) for url in urls.several(given)]
        elif given:
            shown[name] = _shown_url(str(given))
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
