# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is approved of a cleanup: a pure function of its plan."""

from __future__ import annotations

import typing as t

from ..._http import urls
from ..._restate.wire import Deployment
from ..approval import Subject
from .plan import Plan, Removal


def subjects(plan: Plan) -> list[Subject]:
    """Return what the plan says of each deployment.

    It is the same before and after the kept one is registered, and however much still has to drain or to move.
    """
    return [
        Subject(urls.in_one_form(plan.request.service_url), "keep", _kept(plan)),
        *(Subject(_name(each.deployment), "remove", _removal(each, plan)) for each in plan.removals),
        *(Subject(_name(each.deployment), "stays", each.reason) for each in plan.staying),
    ]


def _name(deployment: Deployment) -> str:
    return f"{deployment.id} at {deployment.shown_url}"


def _kept(plan: Plan) -> dict[str, t.Any]:
    latest = plan.registry.latest
    return {
        name: [latest[name].ty, sorted((each.name, each.ty or "") for each in latest[name].handlers)]
        for name in plan.registry.latest_at(plan.kept.id)
    }


def _removal(removal: Removal, plan: Plan) -> dict[str, t.Any]:
    content: dict[str, t.Any] = {
        "created_at": removal.deployment.created_at,
        "latest_of": plan.registry.latest_at(removal.id),
        "at_end": removal.at_end,
    }
    if removal.at_end == "migrate":
        content["moves_paused"] = plan.request.migrate_paused
        if removal.migration and not removal.waits:
            # Whatever of these is there holds the deployment.
            content["held_by"] = sorted(removal.migration.remaining)
    elif removal.at_end != "stays" and not removal.waits:
        ended = (
            removal.cancellation.to_cancel if removal.cancellation else (*removal.unfinished, *removal.called)
        )
        content["ends"] = sorted((row.id, row.created_at) for row in ended)
    return content
