# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""restate_recover_workflow: what is kept, and what is submitted again."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from tests.integration.recovery_of_many import created_at_by_key, of_order, outcomes, recover
from tests.integration.server import Server
from tests.integration.three_runs import reason
from tests.integration.versions import on, on_all_versions


@on_all_versions
def test_what_is_destroyed_is_kept_and_the_input_is_submitted_again_byte_for_byte(
    server: Server, tmp_path: Path
) -> None:
    server.release("blobs")
    blob = bytes(range(256))
    run = server.send(
        "/BlobWorkflow/b/run/send",
        content=blob,
        headers={"content-type": "image/x-odd; a=b", "x-tenant": "t1", "accept-encoding": "gzip"},
    )
    first = server.completed(run)

    args: dict[str, Any] = {
        "select": {"limit": 9},
        "snapshot_dir": str(tmp_path / "kept"),
        "resubmit": "original_input",
    }
    dry = server.task("recover_workflow", check=True, **args)
    assert not (tmp_path / "kept").exists()
    real = server.task("recover_workflow", **args)
    second = server.completed(run)

    (result,) = real["results"]
    assert {**dry["results"][0], "resubmitted_at": None} == {**result, "resubmitted_at": None}
    assert (result["outcome"], result["resubmitted"]) == ("recovered", run)
    assert result["resubmitted_at"] == second["created_at"] > first["created_at"]
    (journal,) = server.query(f"SELECT entry_json FROM sys_journal WHERE id = '{run}' AND index = 0")
    entry = json.loads(journal["entry_json"])["Command"]["Input"]
    headers = {header["name"]: header["value"] for header in entry["headers"]}
    assert bytes(entry["payload"]) == blob
    assert (headers["content-type"], headers["x-tenant"]) == ("image/x-odd; a=b", "t1")
    kept = Path(result["snapshot"])
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    content = json.loads(kept.read_text(encoding="utf-8"))
    assert content["failure"].endswith("no room for blobs")
    assert set(content["state"]) == {"size"}
    assert content["resubmitted"] == {"invocation_id": run, "created_at": second["created_at"]}
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [kept.name]


@on("1.7.12", "1.5.3")
def test_a_key_whose_input_is_gone_is_left_as_it_is(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    server.order("kept", "fail")
    gone = server.order("gone", "fail")
    assert server.http.patch(f"/invocations/{gone}/purge-journal").is_success
    earlier = created_at_by_key(server)

    result = server.task(
        "recover_workflow",
        workflows=of_order("kept", "gone"),
        snapshot_dir=str(tmp_path),
        resubmit="original_input",
    )

    assert outcomes(result) == {"kept": ("recovered", None), "gone": ("blocked", "input_unavailable")}
    assert created_at_by_key(server)["gone"] == earlier["gone"]
    assert created_at_by_key(server)["kept"] > earlier["kept"]


def test_nothing_is_touched_where_snapshots_cannot_be_kept(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    server.order("bad", "fail")
    (tmp_path / "file").touch()

    told = recover(server, workflows=of_order("bad"), snapshot_dir=str(tmp_path / "file" / "below"))

    assert reason(told.real)[0] == "RESTATE_INVALID_ARGUMENT"


def test_nothing_is_touched_where_it_could_not_be_submitted_again(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    server.order("bad", "fail")
    args: dict[str, Any] = {
        "workflows": of_order("bad"),
        "snapshot_dir": str(tmp_path),
        "resubmit": "original_input",
    }

    dead = recover(server, **args, ingress_url="http://127.0.0.1:9")
    server.http.patch("/services/OrderWorkflow", json={"public": False})
    private = recover(server, **args)

    assert reason(dead.real)[0] == "RESTATE_ADMIN_UNREACHABLE"
    assert reason(private.real)[0] == "RESTATE_UNSUPPORTED"
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_touched_where_a_snapshot_may_be_forged(server: Server, tmp_path: Path) -> None:
    server.release("release-1")
    server.order("bad", "fail")
    args: dict[str, Any] = {"snapshot_dir": str(tmp_path), "resubmit": "original_input"}
    server.task("recover_workflow", workflows=of_order("bad"), **args)
    (kept,) = tmp_path.iterdir()
    planted = kept.rename(kept.with_name(kept.name.replace(".json", ".open.json")))
    planted.chmod(0o644)

    forged = recover(server, workflows=of_order("bad"), **args)
    planted.unlink()
    tmp_path.chmod(0o777)
    open_to_all = recover(server, workflows=of_order("bad"), **args)
    tmp_path.chmod(0o700)

    assert reason(forged.real) == ("RESTATE_INVALID_ARGUMENT", "snapshot_not_trusted")
    assert reason(open_to_all.real) == ("RESTATE_INVALID_ARGUMENT", "snapshot_dir_not_trusted")
