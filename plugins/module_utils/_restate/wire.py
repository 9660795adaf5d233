# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the admin API answers, as far as this collection reads it. Unknown fields are ignored."""

from __future__ import annotations

import datetime
import re
import typing as t

from .. import _timestamps
from .._http import urls
from .._thirdparty import BaseModel, ConfigDict, Field, SecretStr

SERVICE_SETTINGS = (
    "public",
    "idempotency_retention",
    "workflow_completion_retention",
    "journal_retention",
    "inactivity_timeout",
    "abort_timeout",
)
"""What PATCH /services/{name} can set, and a new revision resets (restatedev/restate issue 3663)."""


class Wire(BaseModel):
    """What all answers share."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ClusterHealth(Wire):
    """GET /cluster-health."""

    cluster_name: str | None = None


class Version(Wire):
    """GET /version. O(ingress_endpoint) is what the server advertises; it need not be reachable from here."""

    version: str
    ingress_endpoint: str | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Major, minor and patch; a pre-release and a build count as their release."""
        return tuple(int(part) for part in re.split("[-+]", self.version)[0].split("."))

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor."""
        major, minor = (*self.numbers, 0)[:2]
        return major, minor


def parsed_version(told: t.Any) -> Version | None:
    """Return a version that somebody told, or None where it is none."""
    version = Version(version=told) if told and isinstance(told, str) else None
    try:
        _ = version and version.numbers
    except ValueError:
        return None
    return version


class Handler(Wire):
    """A handler; O(ty) is Exclusive, Shared or Workflow, absent for the handlers of a plain Service."""

    name: str
    ty: str | None = None
    public: bool | None = None


class Service(Wire):
    """ServiceMetadata. In GET /services it is the latest revision; in GET /deployments/{id} that deployment's own."""

    name: str
    ty: str
    handlers: tuple[Handler, ...] = ()
    deployment_id: str
    revision: int
    public: bool | None = None
    idempotency_retention: str | None = None
    workflow_completion_retention: str | None = None
    journal_retention: str | None = None
    inactivity_timeout: str | None = None
    abort_timeout: str | None = None

    @property
    def settings(self) -> dict[str, t.Any]:
        """The settings that PATCH /services/{name} can change, by name."""
        return {name: getattr(self, name) for name in SERVICE_SETTINGS if getattr(self, name) is not None}

    @property
    def handler_types(self) -> dict[str, str | None]:
        """The types of its handlers by name."""
        return {handler.name: handler.ty for handler in self.handlers}

    @property
    def run_handlers(self) -> frozenset[str]:
        """The names of the handlers whose invocation is a workflow's run; empty unless this is a Workflow."""
        return frozenset(handler.name for handler in self.handlers if handler.ty == "Workflow")


class _RequestBody(Wire):
    content: dict[str, t.Any] = Field(default_factory=dict)
    required: bool = False


class _Operation(Wire):
    request_body: _RequestBody | None = Field(default=None, alias="requestBody")


class OpenApi(Wire):
    """GET /services/{name}/openapi: the calls that the ingress takes for a service.

    Only this document tells the content types of a handler: its `input_description` says `JSON object` for any of them
    that comes with a schema (seen on 1.5.3, 1.6.2 and 1.7.12).
    """

    paths: dict[str, dict[str, t.Any]]

    def input_of(self, service: str, handler: str) -> tuple[tuple[str, ...], bool] | None:
        """Return the content types that a keyed handler accepts, and whether it needs an input, or `None`."""
        ending = f"/{service}/{{key}}/{handler}"
        for path, operations in self.paths.items():
            if path.removesuffix("/send").endswith(ending) and "post" in operations:
                body = _Operation.model_validate(operations["post"]).request_body
                return (tuple(body.content), body.required) if body else ((), False)
        return None


class ServiceRevision(Wire):
    """A service as GET /deployments lists it."""

    name: str
    revision: int


class _Endpoint(Wire):
    id: str
    uri: str | None = None
    arn: str | None = None
    assume_role_arn: str | None = None
    http_version: str | None = None
    additional_headers: dict[str, SecretStr] = Field(default_factory=dict)
    metadata: dict[str, str] = Field(default_factory=dict)
    created_at: str
    min_protocol_version: int | None = None
    max_protocol_version: int | None = None
    sdk_version: str | None = None
    auth: t.Any | None = None

    def model_post_init(self, _context: t.Any, /) -> None:
        """Refuse an answer whose created_at is no instant: how old the deployment is would be a guess."""
        _ = self.created

    @property
    def created(self) -> datetime.datetime:
        """When it was registered, or last overwritten."""
        return _timestamps.parse(self.created_at)

    @property
    def shown_url(self) -> str:
        """Where the deployment is, as it may be shown: its URL without userinfo, or its ARN."""
        return urls.without_secrets(self.uri) if self.uri else str(self.arn)

    def is_at(self, service_url: str) -> bool:
        """Whether this is the deployment that a person means by the URL."""
        return self.uri is not None and urls.is_same_endpoint(self.uri, service_url)


class Deployment(_Endpoint):
    """An entry of GET /deployments."""

    services: tuple[ServiceRevision, ...] = ()


class DeploymentDetail(_Endpoint):
    """GET /deployments/{id}: with the handlers and settings of each service."""

    services: tuple[Service, ...] = ()


class Registration(Wire):
    """The answer of POST /deployments. In a dry run of a new URL the id is random (restatedev/restate issue 4585)."""

    id: str
    services: tuple[Service, ...] = ()
    min_protocol_version: int | None = None
    max_protocol_version: int | None = None
    sdk_version: str | None = None
    was_registered: bool = False
    """Whether the server left what is registered as it was; `AdminClient.register` sets it."""


class Deployments(Wire):
    """GET /deployments."""

    deployments: tuple[Deployment, ...]


class Services(Wire):
    """GET /services."""

    services: tuple[Service, ...]


class Subscription(Wire):
    """A Kafka subscription, without its options: they may hold the broker's credentials."""

    id: str
    source: str
    sink: str

    @property
    def service_and_handler(self) -> tuple[str, str]:
        """What it feeds: service://Service/handler, on every release (seen on 1.5.3, 1.6.2 and 1.7.12)."""
        service, _, handler = self.sink.partition("://")[2].partition("/")
        return service, handler


class Subscriptions(Wire):
    """GET /subscriptions."""

    subscriptions: tuple[Subscription, ...]


class BatchFailure(Wire):
    """An invocation that a batch call did nothing to, and why."""

    invocation_id: str
    error: str


class Batch(Wire):
    """POST /internal/invocations_batch_operations/{verb}, from 1.6."""

    succeeded: tuple[str, ...]
    failed: tuple[BatchFailure, ...]


class Rows(Wire):
    """POST /query. NULL columns are absent from a row. O(warnings) come with partial answers, on servers to come."""

    rows: list[dict[str, t.Any]]
    warnings: list[t.Any] = Field(default_factory=list)
