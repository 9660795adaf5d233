# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_recover_workflow: a run is destroyed only if its input can be submitted again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from tests.integration.proxy import answer, proxy_of
from tests.integration.recovery_of_many import created_at_by_key, outcomes, recover
from tests.integration.server import Server
from tests.integration.versions import on_all_versions

ORDER = '{"mode": "fail"}'


def start(server: Server, service: str, key: str, payload: str, **headers: str) -> str:
    """Let a handler start a run, wait until it has failed, and give its ID."""
    content = {"service": service, "key": key, "payload": payload, "headers": headers}
    server.send("/Caller/start/send", json=content)
    sql = (
        f"SELECT id FROM sys_invocation_status WHERE target_service_key = '{key}' AND "
        f"target_service_name = '{service}' AND status = 'completed'"
    )
    return str(wait_until(f"{service}/{key} failed", lambda: server.query(sql))[0]["id"])


def recovered(server: Server, folder: Path, names: dict[str, list[str]]) -> dict[str, Any]:
    """Recover keys by their service, first in check mode, and give the result, which is as predicted."""
    args: dict[str, Any] = {
        "workflows": [
            {"service_name": name, "service_key": key} for name, keys in names.items() for key in keys
        ],
        "snapshot_dir": str(folder),
        "resubmit": "original_input",
    }
    before = server.snapshot()
    predicted = server.task("recover_workflow", check=True, **args)
    assert server.snapshot() == before
    real = server.task("recover_workflow", **args)
    for result in (predicted, real):
        assert all(each.pop("resubmitted_at") or result is predicted for each in result["results"])
    assert predicted["results"] == real["results"]
    return dict(real)


def input_of(server: Server, invocation_id: str) -> tuple[bytes, dict[str, str]]:
    """Return the payload and the headers of an invocation."""
    (row,) = server.query(f"SELECT entry_json FROM sys_journal WHERE id = '{invocation_id}' AND index = 0")
    entry = json.loads(row["entry_json"])["Command"]["Input"]
    return bytes(entry["payload"]), {header["name"]: header["value"] for header in entry["headers"]}


@on_all_versions
def test_recovery_submits_a_run_that_a_handler_started_with_the_declared_content_type(
    server: Server, tmp_path: Path
) -> None:
    server.release("started-by-handlers")
    declared = {
        "OrderWorkflow": (ORDER, "application/json"),
        "BlobWorkflow": ("blob", "application/octet-stream"),
        "VendorWorkflow": ("{}", "application/vnd.shop+json"),
        "InputlessWorkflow": ("", None),
    }
    runs = {name: start(server, name, "k", payload) for name, (payload, _type) in declared.items()}
    earlier = {name: created_at_by_key(server, name)["k"] for name in declared}

    result = recovered(server, tmp_path, {name: ["k"] for name in declared})

    outcomes_by_name = {each["service_name"]: each["outcome"] for each in result["results"]}
    assert outcomes_by_name == dict.fromkeys(declared, "recovered")
    assert all(created_at_by_key(server, name)["k"] > earlier[name] for name in declared)
    for name, (payload, content_type) in declared.items():
        sent, headers = input_of(server, runs[name])
        assert (sent, headers.get("content-type")) == (payload.encode(), content_type)


@pytest.mark.parametrize(
    ("service", "payload", "headers", "why"),
    [
        pytest.param("ImageWorkflow", "png", {}, "no content type", id="a wildcard says too little"),
        pytest.param("InputlessWorkflow", "x", {}, "takes no input", id="an input for no input"),
        pytest.param("OrderWorkflow", ORDER, {"x tenant": "1"}, "cannot carry", id="a name with a blank"),
        pytest.param("OrderWorkflow", ORDER, {"x-tenant": "a\nb"}, "cannot carry", id="a value with a break"),
        pytest.param(
            "OrderWorkflow", ORDER, {f"x-{number}": "1" for number in range(101)}, "headers", id="101 headers"
        ),
    ],
)
def test_recovery_leaves_a_run_whose_input_the_ingress_would_refuse(
    server: Server, tmp_path: Path, service: str, payload: str, headers: dict[str, str], why: str
) -> None:
    server.release("started-by-handlers")
    start(server, service, "k", payload, **headers)

    told = recover(
        server,
        workflows=[{"service_name": service, "service_key": "k"}],
        snapshot_dir=str(tmp_path),
        resubmit="original_input",
    )

    for result in (told.predicted, told.real):
        assert outcomes(result) == {"k": ("blocked", "input_unavailable")}
        assert why in result["results"][0]["message"]
    assert told.after == told.before
    assert list(tmp_path.iterdir()) == []


@on_all_versions
def test_recovery_leaves_a_run_whose_handler_accepts_another_content_type_by_now(
    server: Server, tmp_path: Path
) -> None:
    server.release("release", "started-by-handlers")
    run = server.send("/BlobWorkflow/k/run/send", content=b"1", headers={"content-type": "image/png"})
    server.completed(run)
    server.serve("release", "blobs-as-json")
    server.register(server.services.url("release"), force=True)

    told = recover(
        server,
        workflows=[{"service_name": "BlobWorkflow", "service_key": "k"}],
        snapshot_dir=str(tmp_path),
        resubmit="original_input",
    )

    assert outcomes(told.real) == {"k": ("blocked", "input_unavailable")}
    assert "application/json" in told.real["results"][0]["message"]
    assert told.after == told.before


ODD_KEYS = [".", "..", "%2E", "a/../b", "a/b", "\\", " ", "é", "a?b#c"]


@on_all_versions
def test_recovery_submits_odd_keys_under_their_own_name(server: Server, tmp_path: Path) -> None:
    server.release("started-by-handlers")
    runs = {key: start(server, "OrderWorkflow", key, ORDER) for key in ODD_KEYS}
    before = created_at_by_key(server)

    result = recovered(server, tmp_path, {"OrderWorkflow": ODD_KEYS})

    assert outcomes(result) == dict.fromkeys(ODD_KEYS, ("recovered", None))
    assert {each["service_key"]: each["resubmitted"] for each in result["results"]} == runs
    after = created_at_by_key(server)
    assert after.keys() == before.keys()
    assert all(after[key] > before[key] for key in ODD_KEYS)


def test_a_kept_input_that_the_handler_no_longer_accepts_fails_the_rerun(
    server: Server, tmp_path: Path
) -> None:
    server.release("release", "started-by-handlers")
    run = server.send("/BlobWorkflow/k/run/send", content=b"1", headers={"content-type": "image/png"})
    server.completed(run)
    args: dict[str, Any] = {
        "workflows": [{"service_name": "BlobWorkflow", "service_key": "k"}],
        "snapshot_dir": str(tmp_path),
        "resubmit": "original_input",
        "skip_blocked": True,
    }
    with proxy_of(server.sandbox.ingress_url) as ingress:
        ingress.once("POST", "/BlobWorkflow", answer(403))
        first = server.task("recover_workflow", **args, ingress_url=ingress.url)
    assert outcomes(first) == {"k": ("failed", "resubmission_failed")}
    server.serve("release", "blobs-as-json")
    server.register(server.services.url("release"), force=True)

    results = [server.task("recover_workflow", **args, check=check) for check in (True, False)]

    for result in results:
        assert result["failed"]
        assert outcomes(result) == {"k": ("failed", "input_unavailable")}
    assert [path.suffixes[-2:] for path in tmp_path.iterdir()] == [[".open", ".json"]]
