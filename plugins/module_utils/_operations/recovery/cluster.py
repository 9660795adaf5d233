# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Restate a snapshot is of: a cluster has several URLs, and a URL may lead to another cluster by now."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from ..._restate.admin import AdminClient


@dataclass(frozen=True)
class Cluster:
    """What a cluster is known by: its name, and the ids of its deployments, which no other one gives out."""

    admin_url: str
    name: str | None = None
    deployment_ids: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def read(cls, admin: AdminClient) -> Cluster:
        """Return the cluster that a client asks."""
        ids = frozenset(deployment.id for deployment in admin.deployments())
        return cls(admin.connection.shown_url, admin.cluster_name(), ids)

    @classmethod
    def from_json(cls, content: dict[str, t.Any]) -> Cluster:
        """Return the cluster that a snapshot names; raise KeyError or TypeError for what names none."""
        told = content.get("cluster") or {}
        return cls(str(content["admin_url"]), told.get("name"), frozenset(told.get("deployment_ids", ())))

    def to_json(self) -> dict[str, t.Any]:
        """Return what a snapshot tells of it."""
        cluster = {"name": self.name, "deployment_ids": sorted(self.deployment_ids)}
        return {"admin_url": self.admin_url, "cluster": cluster}

    @property
    def shown(self) -> str:
        """What an operator knows it by."""
        return f"{self.name or 'a cluster without a name'} at {self.admin_url}"

    def is_same_as(self, other: Cluster) -> bool | None:
        """Whether both are one cluster, or None where that cannot be told.

        Most clusters have the same name, the default; and all deployments of one may have been replaced since.
        """
        if self.deployment_ids & other.deployment_ids:
            return True
        if self.name and other.name and self.name != other.name:
            return False
        return True if self.admin_url == other.admin_url else None
