# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy of the environment through which an endpoint is reached."""

from __future__ import annotations

import os
import typing as t
import urllib.request
from urllib.parse import urlsplit

from . import urls


class Proxy(t.NamedTuple):
    """A proxy, and the environment variable that names it."""

    url: str
    variable: str

    @property
    def shown(self) -> str:
        """The proxy as a sentence names it, without its userinfo."""
        return f"the proxy {urls.without_secrets(self.url)} of {self.variable}"

    @property
    def remedy(self) -> str:
        """What to do where it does not let a request through."""
        return (
            f"Check the proxy that {self.variable} names (its credentials stand in its URL), or list the host in "
            "NO_PROXY where it is to be reached directly; then run restate_doctor again."
        )


def proxy_of(url: str) -> Proxy | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names for a URL, or None.

    NO_PROXY lists hosts and domains, with or without a port, as Python's own clients read it; V(*) means all.
    """
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    kind = next((each for each in (parts.scheme, "all") if proxies.get(each)), None)
    if kind is None or any(
        map(urllib.request.proxy_bypass, (parts.netloc.rpartition("@")[2], parts.hostname or ""))
    ):
        return None
    found = proxies[kind]
    return Proxy(found if "://" in found else f"http://{found}", _variable(f"{kind}_proxy", found))


def _variable(name: str, value: str) -> str:
    named = [each for each in os.environ if each.lower() == name and os.environ[each] == value]
    return named[0] if named else "the system's settings"
