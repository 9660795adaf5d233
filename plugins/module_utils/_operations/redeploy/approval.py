# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is approved of a registration: a pure function of its plan."""

from __future__ import annotations

import typing as t

from ..._http import urls
from ..approval import Subject
from .plan import Plan


def subjects(plan: Plan) -> list[Subject]:
    """Return what the plan says of the deployment at the URL: what is offered there, and what it takes the place of."""
    registered, observed = plan.observed.registered, plan.observed
    offered = [service.name for service in observed.discovered.services]
    content = {
        "overwrites": [registered.id, registered.created_at] if registered else None,
        "before": _without_url(plan.before),
        "after": _without_url(plan.after),
        "settings": plan.settings,
        "latest": {name: observed.latest[name].deployment_id for name in offered if name in observed.latest},
        "lost": sorted(observed.lost),
    }
    return [Subject(urls.in_one_form(plan.request.service_url), plan.action, content)]


def _without_url(described: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    # However it is written.
    return {name: value for name, value in described.items() if name != "service_url"}
