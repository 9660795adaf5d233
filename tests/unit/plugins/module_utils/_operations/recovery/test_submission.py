# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An input is submitted as the ingress takes it, or it is known before that it would be refused."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.inputs import Input
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.submission import (
    AcceptedInput,
    UnfitInputError,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.wire import OpenApi

JSON = ("application/json",)


@pytest.mark.parametrize(
    ("accepted", "is_required", "payload", "own", "sent"),
    [
        (JSON, False, b"{}", None, "application/json"),
        (JSON, False, b"{}", "application/json; charset=utf-8", "application/json; charset=utf-8"),
        (JSON, False, b"", None, None),
        (JSON, False, b"", "application/json", None),
        (("*/*",), False, b"x", None, "application/octet-stream"),
        (("*/*",), False, b"x", "image/png", "image/png"),
        (("*/*",), False, b"x", "", ""),
        (("text/*",), False, b"x", None, "text/plain"),
        (("image/*",), False, b"x", "image/png", "image/png"),
        (("image/*", "application/json"), False, b"x", None, "application/json"),
        (("*/*",), True, b"", "text/plain", "text/plain"),
        ((), False, b"", None, None),
    ],
)
def test_an_input_is_submitted_with_this_content_type(
    accepted: tuple[str, ...], is_required: bool, payload: bytes, own: str | None, sent: str | None
) -> None:
    headers = {"x-tenant": "t"} if own is None else {"x-tenant": "t", "content-type": own}
    submission = AcceptedInput(accepted, is_required).submission("k", Input(payload, headers))
    assert submission.payload == payload
    assert submission.headers == ({"x-tenant": "t"} | ({} if sent is None else {"content-type": sent}))


@pytest.mark.parametrize(
    ("accepted", "is_required", "key", "content"),
    [
        pytest.param(JSON, False, "k", Input(b"x", {"content-type": "text/plain"}), id="another type"),
        pytest.param(JSON, False, "k", Input(b"x", {"content-type": ""}), id="an empty type"),
        pytest.param(("image/*",), False, "k", Input(b"x", {}), id="a wildcard"),
        pytest.param((), False, "k", Input(b"x", {}), id="no input wanted"),
        pytest.param(JSON, True, "k", Input(b"", {}), id="an input wanted"),
        pytest.param(JSON, False, "", Input(b"x", {}), id="an empty key"),
        pytest.param(JSON, False, "k" * 60_001, Input(b"x", {}), id="a long key"),
        pytest.param(JSON, False, "é" * 10_001, Input(b"x", {}), id="a key that is long when it is escaped"),
        pytest.param(JSON, False, "k", Input(b"x", {"a b": "c"}), id="a bad name"),
        pytest.param(JSON, False, "k", Input(b"x", {"a": "b\r\nc: d"}), id="a bad value"),
        pytest.param(JSON, False, "k", Input(b"x", {"a": " b"}), id="a value that would change"),
    ],
)
def test_an_input_is_refused_beforehand(
    accepted: tuple[str, ...], is_required: bool, key: str, content: Input
) -> None:
    with pytest.raises(UnfitInputError):
        AcceptedInput(accepted, is_required).submission(key, content)


@pytest.mark.parametrize(
    "path",
    [
        "/Flow/{key}/run",
        "/Flow/{key}/run/send",
        "/restate/call/Flow/{key}/run",
        "/restate/send/Flow/{key}/run",
    ],
)
def test_the_document_of_each_version_tells_what_a_handler_accepts(path: str) -> None:
    body = {"content": {"text/plain": {}}, "required": True}
    document = OpenApi(paths={"/Flow/{key}/runner": {"post": {}}, path: {"post": {"requestBody": body}}})
    assert document.input_of("Flow", "run") == (("text/plain",), True)
    assert document.input_of("Flow", "runner") == ((), False)
    assert document.input_of("Flow", "other") is None
