# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A snapshot belongs to a cluster, and not to a URL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.cluster import Cluster
from ansible_collections.dalp.restate.plugins.module_utils._operations.recovery.snapshots import (
    OPEN,
)
from ansible_collections.dalp.restate.tests.unit.kept_snapshots import (
    BORN,
    URL,
    content,
    path_of,
    snapshots,
)


def test_what_is_owed_to_another_restate_is_left_and_named(tmp_path: Path) -> None:
    other = snapshots(tmp_path, cluster=Cluster("http://staging:9070", "staging", frozenset({"dp_3"})))
    other.write(content(), BORN, is_pending=True)
    kept = snapshots(tmp_path)
    assert kept.pending() == {}
    assert [each.path for each in kept.foreign] == [path_of(tmp_path, "Flow", "k", BORN, OPEN)]
    assert list(other.pending()) == [("Flow", "k")]


N2 = "http://n2:9070"


@pytest.mark.parametrize(
    ("now", "is_same"),
    [
        pytest.param(Cluster(N2, "production", frozenset({"dp_2", "dp_9"})), True, id="a deployment of both"),
        pytest.param(Cluster(N2, None, frozenset({"dp_2"})), True, id="a server that tells no name"),
        pytest.param(Cluster(N2, "staging", frozenset({"dp_9"})), False, id="another name"),
        pytest.param(Cluster(URL, "staging", frozenset({"dp_9"})), False, id="another one at the same URL"),
        pytest.param(
            Cluster(URL, "production", frozenset()), True, id="all were removed, the URL is the same"
        ),
        pytest.param(Cluster(N2, "production", frozenset({"dp_9"})), None, id="the default name, and others"),
        pytest.param(Cluster(N2, None, frozenset()), None, id="a server that tells nothing"),
    ],
)
def test_a_snapshot_belongs_to_a_cluster_at_whichever_of_its_urls(
    now: Cluster, is_same: bool | None, tmp_path: Path
) -> None:
    snapshots(tmp_path).write(content(), BORN, is_pending=True)
    if is_same is None:
        with pytest.raises(OperatorError, match=f"production at {URL}") as refusal:
            snapshots(tmp_path, cluster=now).pending()
        assert (refusal.value.code, refusal.value.reason) == (
            "RESTATE_INVALID_ARGUMENT", "snapshot_cluster_unknown",
        )  # fmt: skip
        assert "snapshot_cluster: this" in refusal.value.remedy
    else:
        assert bool(snapshots(tmp_path, cluster=now).pending()) == is_same
    # The operator decides what cannot be told, and nothing else.
    kept = snapshots(tmp_path, cluster=now, takes_unknown=True)
    assert bool(kept.pending()) == (is_same is not False)


def test_a_snapshot_that_names_no_cluster_is_of_the_one_at_its_url(tmp_path: Path) -> None:
    path = path_of(tmp_path, "Flow", "k", BORN, OPEN)
    path.write_text(json.dumps({"admin_url": URL, **content()}))
    path.chmod(0o600)
    assert list(snapshots(tmp_path).pending()) == [("Flow", "k")]
    with pytest.raises(OperatorError):
        snapshots(tmp_path, cluster=Cluster(N2, "production", frozenset({"dp_1"}))).pending()
