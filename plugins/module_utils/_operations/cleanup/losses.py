# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would be lost with deployments, and why that is refused: pure."""

from __future__ import annotations

import typing as t

from ..._errors import OperatorError
from ..._restate.wire import Subscription
from ..commands import restate_cli
from ..deployments.pending import Pending
from ..deployments.registry import Registry
from ..report import count


class Losses:
    """The services whose latest revision is among what goes.

    Of O(returning) an older revision would be the latest again, and O(gone) would be served no more.
    """

    def __init__(self, going: t.Iterable[str], registry: Registry) -> None:
        ids = set(going)
        serving = _serving(registry)
        self._latest = {
            name: each.deployment_id for name, each in registry.latest.items() if each.deployment_id in ids
        }
        self.returning = sorted(name for name in self._latest if serving.get(name, set()) - ids)
        self.gone = sorted(set(self._latest) - set(self.returning))

    def refusal(
        self, subscriptions: t.Iterable[Subscription], *, allow_service_removal: bool
    ) -> OperatorError | None:
        """Return why they must not be lost, or None."""
        if self.returning:
            return self._refused(
                self.returning,
                f"would bring back an older revision of {', '.join(self.returning)}",
                reason="older_revision_returns",
                remedy="Register the release first (restate_redeploy): service_url is not the latest of these.",
            )
        feeding = [each for each in subscriptions if each.service_and_handler[0] in self.gone]
        if feeding:
            return self._subscribed(feeding, allow_service_removal=allow_service_removal)
        if self.gone and not allow_service_removal:
            return self._refused(
                self.gone,
                f"would remove {', '.join(self.gone)} altogether",
                reason="service_removed",
                remedy="Use remove: superseded, list what stays under keep, or set allow_service_removal to true.",
            )
        return None

    def _subscribed(self, feeding: t.Sequence[Subscription], *, allow_service_removal: bool) -> OperatorError:
        fed = sorted({each.service_and_handler[0] for each in feeding})
        shown = ", ".join(f"{each.id} ({each.source} to {each.sink})" for each in feeding)
        delete = " && ".join(restate_cli("subscriptions", "delete", each.id) for each in feeding)
        then = "" if allow_service_removal else ", set allow_service_removal to true"
        return self._refused(
            fed,
            f"would remove {', '.join(fed)} altogether, and these Kafka subscriptions would feed nothing: {shown}",
            reason="subscription",
            remedy=f"List what stays under keep, or give them up ({delete}){then}, and run the task again.",
        )

    def _refused(self, names: t.Iterable[str], what: str, *, reason: str, remedy: str) -> OperatorError:
        ids = sorted({self._latest[name] for name in names})
        return OperatorError(
            "RESTATE_SERVICE_REMOVAL_REFUSED",
            f"Removing {', '.join(ids)} {what}; nothing was touched.",
            remedy=remedy,
            reason=reason,
            deployment_ids=ids,
        )


def refuse_only_code(
    going: t.Container[str], pending: Pending, *, allow_service_removal: bool
) -> OperatorError | None:
    """Return why the only code that unfinished invocations can run on must not be removed, or None."""
    held = {each: handlers for each, handlers in pending.only_code.items() if each in going}
    if not held or allow_service_removal:
        return None
    shown = [
        _shown_unserved(service, handler, pending)
        for handlers in held.values()
        for service, handler in handlers
    ]
    is_scheduled = any(pending.unserved[each].due_at for handlers in held.values() for each in handlers)
    again = (
        " A call that schedules itself again never ends by itself: serve its handler in the next release, too."
        if is_scheduled
        else ""
    )
    return OperatorError(
        "RESTATE_SERVICE_REMOVAL_REFUSED",
        f"{', '.join(held)} has the only code that serves {', '.join(shown)}; nothing was touched.",
        remedy="List what stays under keep, or serve code that has the handler again (restate_redeploy)."
        f"{again} To end these invocations with it, set allow_service_removal to true, force_drain to true, and "
        "pending to cancel, kill or abandon.",
        reason="handler_removed",
        deployment_ids=list(held),
    )


def _shown_unserved(service: str, handler: str, pending: Pending) -> str:
    unserved = pending.unserved[service, handler]
    due = f", the next due at {unserved.due_at}" if unserved.due_at else ""
    return f"{count(unserved.n, 'unfinished invocation')} of {service}/{handler}{due}"


def _serving(registry: Registry) -> dict[str, set[str]]:
    """Return, by service name, the ids of all deployments that serve it."""
    serving: dict[str, set[str]] = {}
    for deployment in registry.deployments:
        for service in deployment.services:
            serving.setdefault(service.name, set()).add(deployment.id)
    return serving
