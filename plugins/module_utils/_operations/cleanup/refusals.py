# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cleanup refuses with every backend, and how it says so."""

from __future__ import annotations

import typing as t

from ..._errors import OperatorError
from ..._http import urls
from ..deployments.registry import check_service_url
from ..report import count


def check(service_url: str, assume_registered: dict[str, t.Any] | None, *, check_mode: bool) -> None:
    """Raise OperatorError for options that cannot be right, before anything is read."""
    check_service_url(service_url)
    if not assume_registered:
        return
    if not check_mode:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            "assume_registered is for check mode: outside it a deployment must really be registered.",
        )
    assumed = assume_registered.get("service_url")
    if not isinstance(assumed, str) or not urls.is_same_endpoint(assumed, service_url):
        raise not_assumable(f"it is not at {urls.without_secrets(service_url)}, the service_url of this task")


def assumed_protocol(assumed: dict[str, t.Any]) -> tuple[int | None, int | None]:
    """Return the versions of the service protocol that it speaks, as far as they are told."""
    lowest, highest = assumed.get("min_protocol_version"), assumed.get("max_protocol_version")
    if not all(each is None or isinstance(each, int) for each in (lowest, highest)):
        raise not_assumable("the versions of its service protocol are no numbers")
    return lowest, highest


def not_assumable(why: str) -> OperatorError:
    """Return what an operator is told of an assume_registered that cannot be used."""
    return OperatorError(
        "RESTATE_INVALID_ARGUMENT",
        f"assume_registered is not the deployment at service_url that restate_redeploy returned: {why}.",
    )


def not_registered(service_url: str) -> OperatorError:
    """Return what an operator is told where the deployment that is to be kept is not registered."""
    return OperatorError(
        "RESTATE_DEPLOYMENT_NOT_FOUND",
        f"No registered deployment is at {urls.without_secrets(service_url)}; nothing was touched.",
    )


def too_many(ids: list[str], max_removed: int, *, remedy: str) -> OperatorError | None:
    """Return the refusal of a plan that would remove more than max_removed, or None."""
    if len(ids) <= max_removed:
        return None
    return OperatorError(
        "RESTATE_SERVICE_REMOVAL_REFUSED",
        f"{count(len(ids), 'deployment')} would be removed, more than max_removed ({max_removed}); "
        "nothing was touched.",
        remedy=remedy,
        reason="max_removed",
        deployment_ids=ids,
    )
