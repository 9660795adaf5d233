# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Restate server: its admin API and its ingress."""

from __future__ import annotations

import dataclasses
import functools
import typing as t
from dataclasses import dataclass

from .._http.clock import Clock
from .._http.connection import Connection
from .._http.guard import WriteGuard
from .admin import AdminClient
from .ingress import Ingress


@dataclass(frozen=True)
class Restate:
    """What an operation works on."""

    admin: AdminClient
    ingress: Ingress
    shows_all: bool = False
    """Whether somebody asked for all that was there before and after: a diff, or a full audit record."""

    @property
    def clock(self) -> Clock:
        """What an operation waits by."""
        return self.admin.clock

    @classmethod
    def at(
        cls,
        connection: Connection,
        ingress_urls: t.Sequence[str],
        guard: WriteGuard,
        clock: Clock,
        *,
        shows_all: bool = False,
    ) -> Restate:
        """Return the server that a connection leads to; nothing is sent yet."""
        admin = AdminClient(connection, guard, clock)
        return cls(admin, Ingress(connection, ingress_urls, guard, clock), shows_all)

    @property
    def admins(self) -> list[t.Callable[[], AdminClient]]:
        """What makes a client of the admin API of each node by itself; it is to be closed."""
        return self._clients(self.admin.transport.each)

    def admins_within(self, seconds: float) -> list[t.Callable[[], AdminClient]]:
        """Return what makes a client of each node that waits no longer than this for an answer, and tries once."""
        return self._clients(
            dataclasses.replace(node, request_timeout=min(node.request_timeout, seconds), retries=0)
            for node in self.admin.transport.each
        )

    def _clients(self, nodes: t.Iterable[Connection]) -> list[t.Callable[[], AdminClient]]:
        admin = self.admin
        return [functools.partial(AdminClient, node, admin.guard, admin.clock) for node in nodes]

    @property
    def shown_url(self) -> str:
        """The URL of the admin API that is asked, without what may be secret."""
        return self.admin.connection.shown_url

    @property
    def node_urls(self) -> list[str]:
        """The URLs of the admin API of all nodes, without what may be secret."""
        return [each.shown_url for each in self.admin.transport.each]

    @property
    def known_deployments(self) -> t.Collection[str]:
        """The ids of all deployments that were listed so far; no other cluster gives them out."""
        return self.admin.known_deployments

    def list_deployments(self) -> None:
        """List the deployments, if none were listed so far."""
        if not self.admin.known_deployments:
            self.admin.deployments()

    @property
    def write_grace(self) -> float:
        """How long a write whose answer never came may still be delivered, in seconds."""
        return self.admin.connection.write_grace

    @property
    def warnings(self) -> t.Sequence[str]:
        """What an operator should know of the answers so far."""
        return self.admin.warnings

    @property
    def check_mode(self) -> bool:
        """Whether nothing may be written."""
        return self.admin.check_mode

    @property
    def known_version(self) -> str | None:
        """The server's version where it was read; nothing is asked for it."""
        version = self.admin.known_version
        return version.version if version else None

    def close(self) -> None:
        """Close all connections."""
        self.admin.close()
