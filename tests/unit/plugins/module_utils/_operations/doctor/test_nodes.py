# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor says of several nodes."""

from __future__ import annotations

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.components import (
    COMPONENTS,
    Component,
    Node,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.doctor.nodes import of_nodes
from ansible_collections.dalp.restate.plugins.module_utils._restate.wire import Version

ALL_OK = {name: Component() for name in COMPONENTS}
GONE = OperatorError("RESTATE_ADMIN_UNREACHABLE", "refused")


CUT_OFF = OperatorError("RESTATE_CLUSTER_UNAVAILABLE", "connection closed")


def node(number: int, *, is_dead: bool = False, is_cut_off: bool = False, version: str = "1.7.12") -> Node:
    asked = Component(error=GONE) if is_dead else Component(Version(version=version), latency_ms=1)
    return Node(f"http://n{number}:9070", asked, Component(error=CUT_OFF if is_cut_off else None))


def found(*nodes: Node) -> list[tuple[str, str, list[str]]]:
    return [(each.code, each.severity, each.subjects) for each in of_nodes(ALL_OK, {"admin": nodes})]


N1, N2, N3 = (f"http://n{number}:9070" for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param([], [], id="one URL"),
        pytest.param([node(1), node(2), node(3)], [], id="all are there"),
        pytest.param(
            [node(1), node(2, is_dead=True), node(3)],
            [("ADMIN_NODE_UNREACHABLE", "warning", [N2])],
            id="one is down",
        ),
        pytest.param(
            [node(1), node(2, is_dead=True), node(3, is_dead=True)],
            [
                ("ADMIN_NODE_UNREACHABLE", "warning", [N2]),
                ("ADMIN_NODE_UNREACHABLE", "warning", [N3]),
                ("NO_QUORUM", "critical", [N2, N3]),
            ],
            id="most are down",
        ),
        pytest.param(
            [node(1), node(2, is_cut_off=True), node(3, is_cut_off=True)],
            [("ADMIN_NODE_DEGRADED", "warning", [N2]), ("ADMIN_NODE_DEGRADED", "warning", [N3])],
            id="two cannot query, and are there",
        ),
        pytest.param(
            [node(1), node(2, is_dead=True)],
            [("ADMIN_NODE_UNREACHABLE", "warning", [N2])],
            id="one of two tells nothing of the quorum",
        ),
        pytest.param(
            [node(1), node(2, version="1.7.9")],
            [("NODE_VERSIONS_DIFFER", "info", [N1, N2])],
            id="an upgrade is under way",
        ),
    ],
)
def test_what_is_found(nodes: list[Node], expected: list[tuple[str, str, list[str]]]) -> None:
    assert found(*nodes) == expected


def test_where_none_answers_the_component_says_so() -> None:
    components = {**ALL_OK, "admin": Component(error=GONE)}
    nodes = [node(1, is_dead=True), node(2, is_dead=True)]
    assert list(of_nodes(components, {"admin": nodes})) == []


def test_a_node_is_shown_with_what_it_told() -> None:
    assert node(1).to_result() == {
        "url": N1, "status": "ok", "latency_ms": 1, "version": "1.7.12", "error": None,
    }  # fmt: skip
    shown = node(2, is_cut_off=True).to_result()
    assert (shown["status"], shown["version"], shown["error"]["code"]) == (
        "degraded", "1.7.12", "RESTATE_CLUSTER_UNAVAILABLE",
    )  # fmt: skip
    shown = node(2, is_dead=True).to_result()
    assert (shown["status"], shown["error"]["code"]) == ("unreachable", "RESTATE_ADMIN_UNREACHABLE")
