# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the ingress will take an input, known before anything is destroyed: a pure function of input and handler."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from ..._http.urls import segment
from .inputs import Input

_LONGEST_KEY = 60_000
"""How long an escaped key can be: a server takes 65,534 characters for the whole URL, an HTTP client 65,536."""
_MOST_HEADERS = 80
"""A server takes 100 (hyper's limit); a client and the operator add some."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_OF_ANY = {
    "*/*": "application/octet-stream",
    "application/*": "application/octet-stream",
    "text/*": "text/plain",
}
"""What stands for a wildcard if the input has no content type of its own."""


class UnfitInputError(Exception):
    """The ingress would refuse the input; the text says why."""


@dataclass(frozen=True)
class AcceptedInput:
    """What the run handler of a workflow accepts: content types, with wildcards; none if it takes no input."""

    content_types: tuple[str, ...]
    is_required: bool = False

    def submission(self, key: str, content: Input) -> Input:
        """Return the input as it is submitted. Raises `UnfitInputError` if the ingress would refuse it.

        An input without a content type is that of a run that a handler started: it gets the one that the run handler
        declares, unless it is empty.
        """
        if not key:
            raise UnfitInputError("its key is empty, and a proxy would take the next part of the URL for it")
        if len(segment(key)) > _LONGEST_KEY:
            raise UnfitInputError("its key is too long for a URL")
        _check_headers(content.headers)
        if not content.payload and not self.is_required:
            # With a content type, a handler that has a schema would refuse it.
            return _with_content_type(content, None)
        if not self.content_types:
            raise UnfitInputError("its handler takes no input any more")
        own = content.headers.get("content-type")
        if own is None and not content.payload:
            raise UnfitInputError("its input is empty, and its handler needs one")
        chosen = self._declared() if own is None else own
        if not self._takes(chosen):
            raise UnfitInputError(
                f"its input has the content type {chosen!r}, and its handler accepts {self._shown}"
            )
        return _with_content_type(content, chosen)

    @property
    def _shown(self) -> str:
        return " or ".join(self.content_types)

    def _declared(self) -> str:
        """Return the content type for an input that has none."""
        concrete = [each for each in self.content_types if "*" not in each]
        chosen = [*concrete, *(_OF_ANY[each] for each in self.content_types if each in _OF_ANY)]
        if not chosen:
            raise UnfitInputError(f"its input has no content type, and its handler accepts {self._shown}")
        return chosen[0]

    def _takes(self, content_type: str) -> bool:
        """Whether the server lets a content type pass (crates/types/src/schema/invocation_target.rs of v1.7.6)."""
        type_, slash, subtype = content_type.partition(";")[0].strip().partition("/")
        exact = (f"{type_}/{subtype}", f"{type_}/*") if slash else ()
        return "*/*" in self.content_types or any(each in self.content_types for each in exact)


def _check_headers(headers: dict[str, str]) -> None:
    """Raise `UnfitInputError` for headers that no HTTP request can have: a handler may send any text."""
    if len(headers) > _MOST_HEADERS:
        raise UnfitInputError(f"its input has {len(headers)} headers, more than the ingress takes")
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or value != value.strip():
            raise UnfitInputError(f"its input has a header that HTTP cannot carry ({name!r})")


def _with_content_type(content: Input, content_type: str | None) -> Input:
    headers = {name: value for name, value in content.headers.items() if name != "content-type"}
    if content_type is not None:
        headers["content-type"] = content_type
    return content if headers == content.headers else dataclasses.replace(content, headers=headers)
