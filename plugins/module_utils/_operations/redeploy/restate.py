# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Register a release, or make an older one the latest again."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ..._errors import OperatorError
from ..._http import urls
from ..._restate.admin import AdminClient
from ..._restate.server import Restate
from ..._restate.wire import DeploymentDetail, Registration, Service
from ..deployments import registration
from ..deployments.registry import STALE_READ_SECONDS, Registry, check_service_url
from ..report import Report, count
from ..texts import texts

_POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class RedeployRequest:
    """What the operator asked; None means what is registered. O(wait_timeout) is in seconds.

    O(additional_headers) and O(metadata) are made what a server keeps of them: texts, and lower-case header names.
    """

    service_url: str
    force: bool
    breaking: bool = False
    use_http_11: bool | None = None
    additional_headers: dict[str, str] | None = None
    metadata: dict[str, str] | None = None
    wait_timeout: int

    def __post_init__(self) -> None:
        if self.additional_headers is not None:
            given = texts("additional_headers", self.additional_headers)
            headers = {name.lower(): value for name, value in given.items()}
            object.__setattr__(self, "additional_headers", headers)
        if self.metadata is not None:
            object.__setattr__(self, "metadata", texts("metadata", self.metadata))


@dataclass(frozen=True)
class Observed:
    """What is registered (O(registered) None: nothing at this URL) and what the service offers."""

    registered: DeploymentDetail | None
    latest: dict[str, Service]
    discovered: Registration


@dataclass(frozen=True)
class Plan:
    """What is to be done: O(action) is V(register), V(overwrite), V(nothing) or V(refuse)."""

    action: str
    before: dict[str, t.Any]
    after: dict[str, t.Any]
    settings: dict[str, dict[str, t.Any]]
    warnings: list[str]
    error: OperatorError | None = None

    @property
    def steps(self) -> list[dict[str, t.Any]]:
        """The write calls, in their order."""
        if self.action not in ("register", "overwrite"):
            return []
        return [
            {"action": self.action, "service_url": self.after["service_url"]},
            *(
                {"action": "apply_settings", "service": name, "settings": values}
                for name, values in self.settings.items()
            ),
        ]


def redeploy(restate: Restate, request: RedeployRequest) -> Report:
    """Register O(request.service_url), or find that nothing is to be done."""
    admin = restate.admin
    check_service_url(request.service_url)
    if request.metadata and not admin.version.at_least(1, 6):
        raise OperatorError(
            "RESTATE_UNSUPPORTED", f"metadata needs Restate 1.6; this server is {admin.version.version}."
        )
    registry = Registry.read(admin)
    match = registry.at(request.service_url)
    registered = admin.deployment(match.id) if match else None
    body = _body(admin, registered, request)
    observed = Observed(registered, registry.latest, _discover(admin, body, request.wait_timeout))
    plan = make_plan(observed, request)
    report = Report(
        msg="",
        subject=urls.without_secrets(request.service_url),
        before=plan.before,
        after=plan.after,
        warnings=plan.warnings,
        error=plan.error,
        details={"deployment": _offer(request.service_url, observed.discovered), "steps": plan.steps},
    )
    if plan.error:
        report.msg = plan.error.message
        return report
    deployment_id = registered.id if registered else None
    if plan.action == "overwrite" and registered:
        report.warnings += _in_flight(admin, registered.id)
    if plan.steps and not admin.check_mode:
        report.not_done = list(plan.steps)
        try:
            deployment_id = _apply(admin, body, observed, report)
            _verify(admin, deployment_id, observed.discovered, request.wait_timeout)
        except OperatorError as exc:
            report.error = exc
    if deployment_id:
        report.details["deployment_id"] = deployment_id
    report.changed = bool(plan.steps)
    if report.error and not report.done and not report.error.outcome_unknown:
        report.changed, report.after = False, report.before
    report.acknowledged = report.error is None
    report.msg = report.error.message if report.error else _sentence(plan, deployment_id, admin.check_mode)
    return report


# Observe


def _body(
    admin: AdminClient, registered: DeploymentDetail | None, request: RedeployRequest
) -> dict[str, t.Any]:
    headers, metadata, use_http_11 = request.additional_headers, request.metadata, request.use_http_11
    uri = request.service_url
    if registered:
        # Restate erases what a registration omits; an operator who says nothing means what is there.
        headers = registration.headers_of(registered) if headers is None else headers
        metadata = registered.metadata if metadata is None else metadata
        use_http_11 = registration.uses_http_11(registered) if use_http_11 is None else use_http_11
        uri = str(registered.uri)
    return registration.body(
        uri,
        admin.version,
        # Without force Restate discovers nothing at a known URL, with force it accepts anything at a new one.
        force=registered is not None,
        breaking=request.breaking,
        use_http_11=use_http_11,
        additional_headers=headers,
        metadata=metadata,
    )


def _discover(admin: AdminClient, body: dict[str, t.Any], wait_timeout: int) -> Registration:
    """Ask for discovery until the service answers; a service that is being started needs a while."""
    deadline = time.monotonic() + wait_timeout
    while True:
        try:
            return admin.discover(body)
        except OperatorError as exc:
            silent = exc.code == "RESTATE_SERVICE_UNREACHABLE" or exc.reason == "timeout"
            if not silent:
                raise
            if time.monotonic() + _POLL_SECONDS >= deadline:
                raise OperatorError(
                    "RESTATE_SERVICE_UNREACHABLE",
                    f"The service at {urls.without_secrets(body['uri'])} did not answer Restate's discovery within "
                    f"{wait_timeout} s: {exc.message}",
                    http=exc.http,
                ) from exc
        time.sleep(_POLL_SECONDS)


def _in_flight(admin: AdminClient, deployment_id: str) -> list[str]:
    number = sum(
        row["n"] for row in admin.query(admin.sql.pinned()) if row["pinned_deployment_id"] == deployment_id
    )
    if not number:
        return []
    return [
        f"{count(number, 'in-flight invocation')} pinned to {deployment_id} will go on with the code that is now "
        "at its URL; where that code takes other steps they fail with a journal mismatch (RT0016)."
    ]


# Plan: a pure function of what was observed and asked


def make_plan(observed: Observed, request: RedeployRequest) -> Plan:
    """Return what is to be done, or why it is refused."""
    registered, discovered = observed.registered, observed.discovered
    after = _described(request.service_url, discovered, latest=True)
    settings: dict[str, dict[str, t.Any]] = {}
    warnings: list[str] = []
    if registered is None:
        after |= _options(
            request.additional_headers, request.metadata, bool(request.use_http_11), hidden_before=None
        )
        warnings += _settings_that_change(observed)
        action, before, error = "register", {}, None
    else:
        before = _described(request.service_url, registered, latest=_is_latest(observed))
        headers = registration.headers_of(registered)
        before |= _options(
            headers, registered.metadata, registration.uses_http_11(registered), hidden_before=None
        )
        after |= _options(
            headers if request.additional_headers is None else request.additional_headers,
            registered.metadata if request.metadata is None else request.metadata,
            registration.uses_http_11(registered) if request.use_http_11 is None else request.use_http_11,
            hidden_before=headers,
        )
        settings = _settings_to_keep(registered, discovered)
        error = _refusal(observed, request, before, after)
        action = "refuse" if error else "overwrite" if before != after else "nothing"
        if action == "overwrite":
            warnings += _settings_kept(registered, settings)
            warnings += _services_dropped(observed)
        else:
            settings = {}
    return Plan(action, before, after, settings, warnings, error)


def _refusal(
    observed: Observed, request: RedeployRequest, before: dict[str, t.Any], after: dict[str, t.Any]
) -> OperatorError | None:
    registered, discovered = observed.registered, observed.discovered
    if registered is None or before == after:
        return None
    if registered.auth is not None:
        return OperatorError(
            "RESTATE_REGISTRATION_REFUSED",
            f"{registered.id} was registered with auth settings, which an overwrite would erase.",
            remedy="Register it with the restate CLI, which can set them.",
            reason="auth_settings",
            deployment_ids=[registered.id],
        )
    if discovered.id != registered.id:
        # Seen on 1.5.3 where the HTTP version changes.
        return OperatorError(
            "RESTATE_REGISTRATION_REFUSED",
            f"This server would not overwrite {registered.id} but register the same URL a second time.",
            remedy="Leave use_http_11 as it is registered, or use another URL.",
            reason="second_registration",
            deployment_ids=[registered.id],
        )
    if not request.force:
        is_only_old = {**before, "is_latest": True} == after
        what = "is not the latest" if is_only_old else "differs from what is registered"
        return OperatorError(
            "RESTATE_REGISTRATION_REFUSED",
            f"{urls.without_secrets(request.service_url)} is registered as {registered.id}, {what}, and force is "
            "false.",
            remedy="Read the diff; set force to true to overwrite the registration and make it the latest.",
            reason="force_required",
            deployment_ids=[registered.id],
        )
    known = {**{service.name: service for service in registered.services}, **observed.latest}
    changed = [
        f"{service.name} (from {known[service.name].ty} to {service.ty})"
        for service in discovered.services
        if service.name in known and known[service.name].ty != service.ty
    ]
    if changed and not request.breaking:
        return OperatorError(
            "RESTATE_REGISTRATION_REFUSED",
            f"These services change their type, which breaks their callers: {', '.join(changed)}.",
            remedy="Set breaking to true where this is meant.",
            reason="type_change",
            deployment_ids=[registered.id],
        )
    return None


def _is_latest(observed: Observed) -> bool:
    registered = observed.registered
    return registered is not None and all(
        service.name in observed.latest and observed.latest[service.name].deployment_id == registered.id
        for service in observed.discovered.services
    )


def _described(service_url: str, offer: DeploymentDetail | Registration, *, latest: bool) -> dict[str, t.Any]:
    return {
        "service_url": urls.without_secrets(service_url),
        "services": {
            service["name"]: {
                "type": service["type"],
                "handlers": {handler["name"]: handler["type"] for handler in service["handlers"]},
            }
            for service in _services(offer)
        },
        "protocol_versions": [offer.min_protocol_version, offer.max_protocol_version],
        "sdk_version": offer.sdk_version,
        "is_latest": latest,
    }


def _options(
    headers: dict[str, str] | None,
    metadata: dict[str, str] | None,
    use_http_11: bool,
    *,
    hidden_before: dict[str, str] | None,
) -> dict[str, t.Any]:
    """Describe options without the values of headers; O(hidden_before) lets a changed value show as changed."""
    shown = {}
    for name, value in sorted((headers or {}).items()):
        is_changed = hidden_before is not None and name in hidden_before and hidden_before[name] != value
        shown[name] = "(hidden, changed)" if is_changed else "(hidden)"
    return {"additional_headers": shown, "metadata": metadata or {}, "use_http_11": use_http_11}


def _settings_to_keep(registered: DeploymentDetail, discovered: Registration) -> dict[str, dict[str, t.Any]]:
    """Return, by service, the registered settings that Restate would reset to what the code says."""
    offered = {service.name: service.settings for service in discovered.services}
    kept = {}
    for service in registered.services:
        values = {
            name: value
            for name, value in service.settings.items()
            if service.name in offered
            and name in offered[service.name]
            and offered[service.name][name] != value
        }
        if values:
            kept[service.name] = values
    return kept


def _settings_kept(registered: DeploymentDetail, settings: dict[str, dict[str, t.Any]]) -> list[str]:
    return [
        f"Service {name} of {registered.id} keeps its registered settings where the code says otherwise: "
        + ", ".join(f"{setting}={value}" for setting, value in values.items())
        + "."
        for name, values in settings.items()
    ]


def _settings_that_change(observed: Observed) -> list[str]:
    warnings = []
    for service in observed.discovered.services:
        latest = observed.latest.get(service.name)
        changes = [
            f"{name} from {value} to {service.settings[name]}"
            for name, value in (latest.settings if latest else {}).items()
            if name in service.settings and service.settings[name] != value
        ]
        if changes:
            warnings.append(
                f"Service {service.name} changes settings with this release: {', '.join(changes)}. Where they were "
                "set with PATCH /services rather than in the code, set them again."
            )
    return warnings


def _services_dropped(observed: Observed) -> list[str]:
    registered = observed.registered
    offered = {service.name for service in observed.discovered.services}
    dropped = [
        name
        for name, service in sorted(observed.latest.items())
        if registered and service.deployment_id == registered.id and name not in offered
    ]
    return [f"The code at this URL no longer offers {name}, which was the latest here." for name in dropped]


# Apply and verify


def _apply(admin: AdminClient, body: dict[str, t.Any], observed: Observed, report: Report) -> str:
    deployment_id = _register(admin, body, observed)
    report.done.append(report.not_done.pop(0))
    while report.not_done:
        admin.patch_service(report.not_done[0]["service"], report.not_done[0]["settings"])
        report.done.append(report.not_done.pop(0))
    return deployment_id


def _register(admin: AdminClient, body: dict[str, t.Any], observed: Observed) -> str:
    """Register; where an answer was lost, read what is registered before the call is repeated."""
    for tries_left in range(admin.connection.retries, -1, -1):
        try:
            return admin.register(body).id
        except OperatorError as exc:
            if not (exc.outcome_unknown and tries_left):
                raise
        time.sleep(admin.connection.back_off(tries_left))
        now = Registry.read(admin)
        match = now.at(body["uri"])
        if match and (observed.registered is None or _revisions(match) != _revisions(observed.registered)):
            return match.id
    raise AssertionError("the last try returns or raises")


def _revisions(deployment: t.Any) -> dict[str, int]:
    return {service.name: service.revision for service in deployment.services}


def _verify(admin: AdminClient, deployment_id: str, discovered: Registration, wait_timeout: int) -> None:
    deadline = time.monotonic() + max(wait_timeout, STALE_READ_SECONDS)
    while True:
        registry = Registry.read(admin)
        is_listed = any(deployment.id == deployment_id for deployment in registry.deployments)
        latest = set(registry.latest_at(deployment_id))
        if is_listed and latest >= {service.name for service in discovered.services}:
            return
        if time.monotonic() >= deadline:
            raise OperatorError(
                "RESTATE_DEPLOYMENT_NOT_FOUND",
                f"{deployment_id} was registered, but the server does not list it as the latest of its services.",
                remedy="Run restate_doctor: another release may have been registered at the same time.",
                deployment_ids=[deployment_id],
            )
        time.sleep(_POLL_SECONDS)


# Show


def _services(offer: DeploymentDetail | Registration) -> list[dict[str, t.Any]]:
    return [
        {
            "name": service.name,
            "type": service.ty,
            "handlers": [
                {"name": handler.name, "type": handler.ty}
                for handler in sorted(service.handlers, key=lambda handler: handler.name)
            ],
        }
        for service in sorted(offer.services, key=lambda service: service.name)
    ]


def _offer(service_url: str, discovered: Registration) -> dict[str, t.Any]:
    return {"service_url": urls.without_secrets(service_url), "services": _services(discovered)}


def _sentence(plan: Plan, deployment_id: str | None, check_mode: bool) -> str:
    url = plan.after["service_url"]
    would = "Would register" if check_mode else "Registered"
    names = ", ".join(plan.after["services"])
    if plan.action == "nothing":
        return f"{url} is registered as {deployment_id} and is the latest of its services; nothing to do."
    if plan.action == "register":
        as_id = f" as {deployment_id}" if deployment_id else ""
        return f"{would} {url}{as_id}: it becomes the latest of {names}."
    again = "Would overwrite" if check_mode else "Overwrote"
    return f"{again} the registration {deployment_id} of {url}: it becomes the latest of {names}."
