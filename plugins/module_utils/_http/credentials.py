# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is secret of a connection, and how it is hidden in what others write."""

from __future__ import annotations

import base64
import functools
import re
import typing as t
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from .._redact import HIDDEN, NO_PATTERNS, Patterns

SHORTEST_SECRET = 6
"""Shorter ones are hidden where they stand as words by themselves: within others, every C(1) would vanish."""

_SECRET_HEADERS = re.compile(
    r"auth|token|key|secret|pass|credential|cookie|session|signature|jwt|assertion|cert", re.IGNORECASE
)
_PLAIN_HEADERS = re.compile(
    r"accept(-[\w-]+)?|content-[\w-]+|cache-control|date|forwarded|from|host|origin|pragma|referer|user-agent|via"
    r"|x-forwarded-[\w-]+|x-real-ip|traceparent|tracestate|baggage|x-b3-[\w-]+"
    r"|([\w-]+-)?(tenant|team|environment|env|stage|region|zone|cluster|namespace|version|request|correlation|trace)"
    r"(-id|-name)?",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"[A-Za-z]+ +(\S.*)")


def is_secret_header(name: str) -> bool:
    """Whether the value of a header is secret, which its name tells; in doubt it is."""
    plain = _PLAIN_HEADERS.fullmatch(name.replace("_", "-"))
    return not plain or _SECRET_HEADERS.search(name) is not None


def secrets_of_headers(headers: t.Mapping[str, t.Any]) -> set[str]:
    """Return what is secret of headers: the values of those that are, and what stands in these by itself."""
    found = set()
    for name, value in headers.items():
        if value is None or not is_secret_header(name):
            continue
        text = str(value).strip()
        found.add(text)
        scheme = _SCHEME.fullmatch(text)
        if scheme:
            found.add(scheme[1])
        if name.lower() == "cookie":
            found |= {pair.partition("=")[2].strip() for pair in text.split(";")}
    return found - {""}


def secrets_of_url(url: str) -> set[str]:
    """Return what is secret of a URL's userinfo: its password, or the user's name where that stands alone."""
    try:
        # Also where the scheme was forgotten.
        parts = urlsplit(url if "://" in url else f"//{url}")
        user, password = parts.username or "", parts.password
    except ValueError:
        return set()
    text = user if password is None else password
    try:
        _ = parts.port
    except ValueError:
        # A password with a slash in it: its beginning was taken for the port.
        text = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    if not text:
        return set()
    # As it is sent.
    basic = base64.b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()
    return {text, unquote(text), basic}


@dataclass(frozen=True)
class Secrets:
    """What must not be shown, and was given to this task; O(patterns) are what its site calls secret."""

    texts: frozenset[str] = field(default=frozenset(), repr=False)
    patterns: Patterns = field(default=NO_PATTERNS, repr=False, compare=False)

    def hidden(self, text: str) -> str:
        """Return a text that somebody else wrote, without these secrets. No text of ours is for this."""
        return self.patterns.replaced(self._pattern.sub(HIDDEN, text) if self.texts else text)

    def and_of(self, headers: t.Mapping[str, str]) -> Secrets:
        """Return these and what is secret of headers."""
        return replace(self, texts=self.texts | secrets_of_headers(headers))

    @property
    def long_ones(self) -> Secrets:
        """Those that no other word is taken for."""
        return replace(self, texts=frozenset(text for text in self.texts if len(text) >= SHORTEST_SECRET))

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        # The longest first: one may begin like another.
        return re.compile("|".join(map(_wherever, sorted(self.texts, key=len, reverse=True))))


NO_SECRETS = Secrets()


def _wherever(secret: str) -> str:
    found = re.escape(secret)
    return found if len(secret) >= SHORTEST_SECRET else rf"(?<![^\W_]){found}(?![^\W_])"
