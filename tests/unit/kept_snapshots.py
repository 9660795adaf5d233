# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder with snapshots, and what one of them holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.cluster import Cluster
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.snapshots import (
    CLOSED,
    SnapshotNames,
    Snapshots,
)

URL = "http://restate:9070"
BORN, LATER = "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"


def content(key: str = "k", service: str = "Flow", **more: Any) -> dict[str, Any]:
    return {
        "service_name": service,
        "service_key": key,
        "taken_at": "2026-01-03T00:00:00.000+00:00",
        "created_at": BORN,
        "run_id": "inv_1",
        "failure": "[500] no",
        "input": {"payload": "AP8=", "headers": {"content-type": "text/plain"}},
        "state": {"a": "AA=="},
        **more,
    }


CLUSTER = Cluster(URL, "production", frozenset({"dp_1", "dp_2"}))


def snapshots(folder: Path, *, cluster: Cluster = CLUSTER, takes_unknown: bool = False) -> Snapshots:
    kept = Snapshots(str(folder), cluster=cluster, takes_unknown=takes_unknown)
    kept.make_folder()
    return kept


def path_of(folder: Path, service: str, key: str, created_at: str, suffix: str = CLOSED) -> Path:
    return SnapshotNames(folder).path(service, key, created_at, suffix)
