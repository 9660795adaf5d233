# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping secrets out of whatever leaves a module."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import unquote, urlsplit

from .._http import urls

HIDDEN = "(hidden)"
SHORTEST_SECRET = 6
"""Shorter values are hidden where they stand, but not looked for in other texts: every C(1) would vanish."""

_USERINFO = re.compile(r"(?<=://)[^/?#\s'\"<>]*@")


def scrub(value: t.Any, secrets: t.Collection[str], patterns: t.Sequence[re.Pattern[str]] = ()) -> t.Any:
    """Return the value with secrets, what matches O(patterns), and the userinfo of URLs replaced in all its texts."""
    if isinstance(value, str):
        # The longest first: one may begin like another.
        for secret in sorted(secrets, key=len, reverse=True):
            value = value.replace(secret, HIDDEN)
        for pattern in patterns:
            value = pattern.sub(HIDDEN, value)
        return _USERINFO.sub("", value)
    if isinstance(value, dict):
        return {scrub(key, secrets, patterns): scrub(item, secrets, patterns) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrub(item, secrets, patterns) for item in value]
    return value


def secrets_in(value: t.Any) -> set[str]:
    """Return what of a secret option is long enough to be looked for: it as a text, or the values of a dict."""
    if isinstance(value, dict):
        return {text for item in value.values() for text in secrets_in(item)}
    text = "" if value is None else str(value)
    return {text} if len(text) >= SHORTEST_SECRET else set()


def userinfo_secrets(url: str) -> set[str]:
    """Return what is secret of a URL's userinfo: its password, or the user's name where that stands alone."""
    try:
        # Also where the scheme was forgotten.
        parts = urlsplit(url if "://" in url else f"//{url}")
        text = parts.password or ("" if parts.password is not None else parts.username) or ""
    except ValueError:
        return set()
    try:
        _ = parts.port
    except ValueError:
        # A password with a slash in it: its beginning was taken for the port.
        text = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    return secrets_in(text) | secrets_in(unquote(text))


def redacted_arguments(params: dict[str, t.Any], secret_options: t.Collection[str]) -> dict[str, t.Any]:
    """Return the options as they may be shown: the values of secret ones hidden, unset ones left out."""
    shown = {}
    for name, value in params.items():
        if value is None:
            continue
        if name not in secret_options:
            shown[name] = scrub(value, ())
        elif isinstance(value, dict):
            shown[name] = dict.fromkeys(value, HIDDEN)
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
            shown[name] = [_without_query(url) for url in urls.several(given)]
        elif given:
            shown[name] = _without_query(str(given))
    return shown


def _without_query(url: str) -> str:
    # It is refused, since there may be a secret in it, and would be shown with the refusal.
    return urls.without_secrets(url) if "?" in url or "#" in url else url
