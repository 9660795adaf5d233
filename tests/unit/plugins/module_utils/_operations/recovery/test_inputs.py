# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a run's input is kept, to be submitted again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.inputs import (
    Input,
    read_inputs,
)
from ansible_collections.dalp.restate.tests.unit.conftest import Serve
from ansible_collections.dalp.restate.tests.unit.fake_restate import entry
from ansible_collections.dalp.restate.tests.unit.loopback import answer
from ansible_collections.dalp.restate.tests.unit.operating import restate_at

VERSION = answer(200, {"version": "1.7.12"})


def read(serve: Serve, *rows: dict[str, Any]) -> dict[str, Input]:
    server = serve(VERSION, answer(200, {"rows": list(rows)}))
    return read_inputs(restate_at(server, check_mode=True).admin, ["inv_1", "inv_2"])


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b'{"a": 1}', b"no json", b"\x00\xff\xfe", bytes(range(256)), "\u9375".encode()],
    ids=repr,
)
def test_a_payload_is_kept_byte_for_byte(payload: bytes, serve: Serve) -> None:
    assert read(serve, {"id": "inv_1", "entry_json": entry(payload)})["inv_1"].payload == payload


@pytest.mark.parametrize(
    ("name", "is_input"),
    [
        ("content-type", True),
        ("X-Tenant", True),
        ("authorization", True),
        ("x-restated", True),
        ("Host", False),
        ("content-length", False),
        ("Transfer-Encoding", False),
        ("connection", False),
        ("user-agent", False),
        ("accept", False),
        ("accept-encoding", False),
        ("traceparent", False),
        ("tracestate", False),
        ("idempotency-key", False),
        ("X-Restate-Id", False),
    ],
)
def test_a_header_is_input_unless_it_is_of_the_request(name: str, is_input: bool, serve: Serve) -> None:
    seen = read(serve, {"id": "inv_1", "entry_json": entry(b"", (name, "v"))})["inv_1"].headers
    assert (name.lower() in seen) == (is_input or name == "content-type")


def test_several_headers_of_a_name_are_one_list(serve: Serve) -> None:
    content = entry(b"", ("x-tag", "a"), ("X-Tag", "b"))
    assert read(serve, {"id": "inv_1", "entry_json": content})["inv_1"].headers["x-tag"] == "a, b"


def odd(**changes: Any) -> str:
    return json.dumps({"Command": {"Input": {"headers": [], "payload": [], **changes}}})


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({}, id="absent"),
        pytest.param({"entry_json": ""}, id="empty"),
        pytest.param({"entry_json": "{"}, id="cut off"),
        pytest.param({"entry_json": "null"}, id="null"),
        pytest.param({"entry_json": "[]"}, id="a list"),
        pytest.param({"entry_json": '{"Command": {"Output": {}}}'}, id="another command"),
        pytest.param({"entry_json": '{"Command": "Input"}'}, id="a word"),
        pytest.param({"entry_json": odd(payload="text")}, id="a payload that is text"),
        pytest.param({"entry_json": odd(payload=[256])}, id="a payload of no bytes"),
        pytest.param({"entry_json": odd(payload=None)}, id="a null payload"),
        pytest.param({"entry_json": odd(headers=None)}, id="null headers"),
        pytest.param({"entry_json": odd(headers=[["a", "b"]])}, id="headers as pairs"),
        pytest.param({"entry_json": odd(headers=[{"name": "a"}])}, id="a header without a value"),
        pytest.param({"entry_json": odd(headers=[{"name": 1, "value": "b"}])}, id="a name that is no text"),
        pytest.param({"entry_json": odd(headers=[{"name": "a", "value": 1}])}, id="a value that is no text"),
        pytest.param({"entry_json": odd(payload=5)}, id="a payload that is a number"),
    ],
)
def test_what_is_no_input_is_none(row: dict[str, Any], serve: Serve) -> None:
    good = {"id": "inv_2", "entry_json": entry(b"x")}
    assert list(read(serve, {"id": "inv_1", **row}, good)) == ["inv_2"]
