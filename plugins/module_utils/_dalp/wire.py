# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What DALP's operator routes answer, as far as this collection reads it. Unknown fields are ignored.

Components and fields are those of DALP's documentation, "Restate workflow recovery".
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from .. import _timestamps
from .._errors import OperatorError
from .._http import urls
from .._http.credentials import NO_SECRETS, Secrets
from .._thirdparty import BaseModel, ConfigDict, Field, ValidationError

MOST_FAILURES = 20
"""How many recent failures the doctor shows at most."""


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class _State(_Wire):
    status: str
    error: t.Any = None


class Ingress(_Wire):
    """Whether the ingress answered, and within how many milliseconds."""

    latency_ms: t.Any = Field(default=None, alias="latencyMs")


class Admin(Ingress):
    """The same of the admin API, with Restate's version."""

    version: t.Any = None


class Deployment(_Wire):
    """A registered deployment. O(service_url) is what the routes want to be given for it, to the letter."""

    id: str
    service_url: str | None = Field(default=None, alias="serviceUrl")
    created_at: t.Any = Field(default=None, alias="createdAt")

    @property
    def created(self) -> datetime.datetime | None:
        """When it was registered, or None where that is not told."""
        try:
            return _timestamps.parse(self.created_at)
        except (TypeError, ValueError):
            return None

    @property
    def shown_url(self) -> str:
        """Where it is, as it may be shown."""
        return urls.without_secrets(self.service_url or "")

    def is_at(self, service_url: str) -> bool:
        """Whether this is the deployment that a person means by the URL."""
        return self.service_url is not None and urls.is_same_endpoint(self.service_url, service_url)


class Deployments(_Wire):
    """All registered deployments."""

    items: tuple[Deployment, ...]


class Service(_Wire):
    """A registered service and its latest revision."""

    name: str
    revision: int


class Services(_Wire):
    """All registered services."""

    items: tuple[Service, ...]


class Invocations(_Wire):
    """How many invocations have which status, and recent failures, MOST_FAILURES at most; see L(key_of)."""

    by_status: dict[str, int] = Field(alias="byStatus")
    failures: tuple[t.Any, ...] | None = Field(default=None, alias="recentFailures")

    @property
    def recent_failures(self) -> tuple[t.Any, ...]:
        """The failures; none where none are told."""
        return self.failures or ()


def key_of(failure: t.Any) -> tuple[str, str] | None:
    """Return service and key of a recent failure, whose fields are not documented, or None where it tells none."""
    if not isinstance(failure, dict):
        return None
    name, key = failure.get("serviceName"), failure.get("serviceKey")
    return (name, key) if isinstance(name, str) and isinstance(key, str) and name and key else None


_Component = t.TypeVar("_Component", bound=_Wire)


@dataclass(frozen=True)
class Told(t.Generic[_Component]):
    """What the doctor tells of a component: its value, or an error with what was told all the same."""

    value: _Component | None = None
    error: OperatorError | None = None


class Health:
    """The answer of doctor. Each component is read by itself: one that is bad hides no other.

    What it says of an error is told without O(secrets).
    """

    def __init__(self, components: dict[str, t.Any], secrets: Secrets = NO_SECRETS) -> None:
        self._components = components
        self._secrets = secrets

    @property
    def admin(self) -> Admin:
        """The admin API; raises as L(told) says."""
        return self._ok("admin", Admin)

    @property
    def deployments(self) -> Deployments:
        """The deployments; raises as L(told) says."""
        return self._ok("deployments", Deployments)

    @property
    def services(self) -> Services:
        """The services; raises as L(told) says."""
        return self._ok("services", Services)

    @property
    def invocations(self) -> Invocations:
        """The invocations; raises as L(told) says."""
        return self._ok("invocations", Invocations)

    def told(self, name: str) -> Told[t.Any]:
        """Return what is told of a component.

        The error is RESTATE_ADMIN_UNREACHABLE where DALP could not reach it, RESTATE_UNEXPECTED_RESPONSE where it is
        degraded, has a status that is not known, or is not of the documented shape.
        """
        return self._told(name, _COMPONENTS[name])

    def _ok(self, name: str, model: type[_Component]) -> _Component:
        told = self._told(name, model)
        if told.error:
            raise told.error
        return t.cast(_Component, told.value)

    def _told(self, name: str, model: type[_Component]) -> Told[_Component]:
        content = self._components.get(name)
        state, value = _read(_State, content), _read(model, content)
        if state is None or (state.status == "ok" and value is None):
            return Told(error=_unexpected_shape(name))
        if state.status == "ok":
            return Told(value)
        told = f": {self._secrets.hidden(str(state.error))}" if state.error else ""
        is_unreachable = state.status == "unreachable"
        error = OperatorError(
            "RESTATE_ADMIN_UNREACHABLE" if is_unreachable else "RESTATE_UNEXPECTED_RESPONSE",
            f"DALP's doctor says that {name} is {state.status}{told}.",
            remedy=_REMEDY,
            reason=None if is_unreachable else state.status,
        )
        return Told(value, error)


def _read(model: type[_Component], content: t.Any) -> _Component | None:
    try:
        return model.model_validate(content)
    except ValidationError:
        return None


def _unexpected_shape(name: str) -> OperatorError:
    return OperatorError(
        "RESTATE_UNEXPECTED_RESPONSE",
        f"DALP's doctor tells nothing of {name} that is of the documented shape.",
        remedy=_REMEDY,
        reason="unexpected_shape",
    )


_COMPONENTS: dict[str, type[_Wire]] = {
    "ingress": Ingress,
    "admin": Admin,
    "deployments": Deployments,
    "services": Services,
    "invocations": Invocations,
}


class Registration(_Wire):
    """The answer of force-redeploy."""

    deployment_id: str | None = Field(default=None, alias="deploymentId")


_REMEDY = "Check how DALP reaches Restate (its ingress and admin API), then run restate_doctor again."
