# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator should know of the nodes of a cluster."""

from __future__ import annotations

import typing as t

from ..deployments.node_lists import OddLists
from .components import Components, Node
from .findings import Finding


def of_nodes(components: Components, nodes: t.Mapping[str, t.Sequence[Node]]) -> t.Iterator[Finding]:
    """Yield which nodes do not answer, and that those that do have several versions.

    Where none answers the component's own finding says so.
    """
    for name, several in nodes.items():
        if components[name].error is None:
            yield from _of_dead(name, several)
    yield from _of_quorum(nodes.get("admin", ()))
    versions = {node.url: node.version for node in nodes.get("admin", ()) if node.version}
    if len(set(versions.values())) > 1:
        told = ", ".join(f"{url} has {version}" for url, version in versions.items())
        yield Finding(
            code="NODE_VERSIONS_DIFFER",
            severity="info",
            component="admin",
            message=f"The nodes have different versions: {told}.",
            subjects=list(versions),
            remedy="Finish the upgrade of the cluster.",
        )


def _of_quorum(nodes: t.Sequence[Node]) -> t.Iterator[Finding]:
    """Yield that most nodes do not answer: queries may go on for a while, but nothing can be registered or removed."""
    dead = [node.url for node in nodes if node.asked.error]
    if len(nodes) > len(dead) > len(nodes) / 2:
        yield Finding(
            code="NO_QUORUM",
            severity="critical",
            component="admin",
            message=f"{len(dead)} of {len(nodes)} nodes do not answer: the cluster has no quorum.",
            subjects=dead,
            remedy="Bring the nodes back; nothing can be registered or removed before.",
        )


def _of_dead(name: str, nodes: t.Sequence[Node]) -> t.Iterator[Finding]:
    for node in nodes:
        if node.error:
            is_cut_off = node.asked.error is None
            what = "cannot query the cluster" if is_cut_off else "does not answer as it should"
            cure = "Check its connection to the other nodes" if is_cut_off else "Bring the node back"
            yield Finding(
                code=f"{name.upper()}_NODE_{node.status.upper()}",
                severity="warning",
                component=name,
                message=f"The node {node.url} {what}: {node.error.message}",
                subjects=[node.url],
                remedy=f"{cure}, or take its URL out of admin_url and ingress_url.",
            )


def of_lists(odd: OddLists | None) -> t.Iterator[Finding]:
    """Yield that nodes list other deployments than the others."""
    if odd:
        yield Finding(
            code="NODE_LISTS_DIFFER",
            severity="warning",
            component="deployments",
            message=odd.message,
            subjects=list(odd.differences),
            remedy="Check the connection of these nodes to the others, or take their URLs out of admin_url; what they "
            "say of deployments may be old.",
        )
