# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URLs as Restate compares them, and as a person may see them."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

_BEGINS_A_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|unix:")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def several(value: str | t.Iterable[str] | None) -> list[str]:
    """Return the URLs of a list, or of a text with commas; a comma that stands before no URL is a part of one."""
    parts = (
        value.split(",")
        if isinstance(value, str)
        else [part for each in value or () for part in each.split(",")]
    )
    found: list[str] = []
    for part in parts:
        if found and not _BEGINS_A_URL.match(part.strip()):
            found[-1] += f",{part}"
        else:
            found.append(part.strip())
    return [url for url in found if url]


def parse(url: str) -> SplitResult:
    """Return the parts of an absolute http or https URL; raise ValueError, without the URL's text, for any other."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError("it cannot be parsed as a URL") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not port_is_valid:
        raise ValueError("it is not an absolute http:// or https:// URL")
    return parts


def without_secrets(url: str) -> str:
    """Return the URL as it may be shown: userinfo, query and fragment, where secrets live, are left out."""
    try:
        parts = urlsplit(url)
        # A password with a slash in it ends up as a port that is none.
        _ = parts.port
    except ValueError:
        return "(a URL that cannot be parsed)"
    if not parts.netloc and "@" in url:
        # Its scheme was forgotten.
        return without_secrets("//" + url).removeprefix("//")
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def endpoint(url: str) -> tuple[str, int | None, str]:
    """Return what makes two deployment URLs the same one: host, port and path.

    Restate ignores the scheme (crates/types/src/schema/deployment/mod.rs:79-129 of v1.7.6); a trailing slash and
    the scheme's default port make no difference to a person either. Raises ValueError where it cannot be parsed.
    """
    parts = urlsplit(url)
    port = None if parts.port == _DEFAULT_PORTS.get(parts.scheme) else parts.port
    return (parts.hostname or "").lower(), port, parts.path.rstrip("/")


def in_one_form(url: str) -> str:
    """Return the URL of a deployment as it may be shown, the same however host, port and end are written."""
    host, port, path = endpoint(url)
    shown_host = f"[{host}]" if ":" in host else host
    return f"{urlsplit(url).scheme}://{shown_host}{f':{port}' if port else ''}{path}"


def by_scheme_of(url: str, given: str) -> str:
    """Return a URL of a deployment with the scheme of another one."""
    return urlunsplit(urlsplit(url)._replace(scheme=urlsplit(given).scheme))


def is_same_endpoint(url: str, other: str) -> bool:
    """Whether two URLs mean the same deployment; one that cannot be parsed means none.

    By two schemes, a port that one of them leaves out is no port of the other's, as Restate has it.
    """
    try:
        first, second = urlsplit(url), urlsplit(other)
        if first.scheme != second.scheme and first.port != second.port:
            return False
        if first.scheme != second.scheme:
            return endpoint(url)[::2] == endpoint(other)[::2]
        return endpoint(url) == endpoint(other)
    except ValueError:
        return False


def on_port(url: str, port: int) -> str:
    """Return the root of the same host, by the same scheme, at another port."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


def segment(text: str) -> str:
    """Return a name or a key as one segment of a path.

    A client resolves a dot segment before it sends the request, unless the dots are escaped: the request would arrive
    at another path.
    """
    return quote(text, safe="").replace(".", "%2E") if text in (".", "..") else quote(text, safe="")
