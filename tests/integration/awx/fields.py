# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of AWX's resources, as a real AWX 24.6.1 tells them in answer to OPTIONS, and a check of what is sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

JSON_TEXT = ("extra_vars", "variables")

_PROMPTS = (
    "diff_mode boolean, execution_environment id:execution_environments, extra_data json, forks integer, "
    "inventory id:inventories, job_slice_count integer, job_tags string, job_type choice('' run check), limit string, "
    "scm_branch string, skip_tags string, timeout integer, verbosity choice(0 1 2 3 4 5)"
)
_ASKED_ON_LAUNCH = (
    *("credential", "diff_mode", "execution_environment", "forks", "instance_groups", "inventory"),
    *("job_slice_count", "job_type", "labels", "limit", "scm_branch", "skip_tags", "tags", "timeout"),
    *("variables", "verbosity"),
)
_ASKS = ", ".join(f"ask_{name}_on_launch boolean" for name in _ASKED_ON_LAUNCH)

_TABLE = {
    "organizations": "default_environment id:execution_environments, description string, max_hosts integer, "
    "name string!",
    "credential_types": "description string, injectors json, inputs json, kind choice!(net cloud), name string!",
    "credentials": "credential_type id!:credential_types, description string, inputs json, name string!, "
    "organization id:organizations, team id:teams, user id:users",
    "execution_environments": "credential id:credentials, description string, image string!<=1024, name string!, "
    "organization id:organizations, pull choice('' always missing never)",
    "hosts": "description string, enabled boolean, instance_id string<=1024, inventory id!:inventories, name string!, "
    "variables json",
    "inventories": "description string, host_filter string?, kind choice('' smart constructed), name string!, "
    "organization id!:organizations, prevent_instance_group_fallback boolean, variables json",
    "job_templates": "allow_simultaneous boolean, become_enabled boolean, description string, diff_mode boolean, "
    "execution_environment id:execution_environments, extra_vars json, force_handlers boolean, forks integer, "
    "host_config_key string<=1024, inventory id:inventories, job_slice_count integer, job_tags string, "
    "job_type choice(run check), limit string, name string!, organization id:organizations, playbook string<=1024, "
    "prevent_instance_group_fallback boolean, project id:projects, scm_branch string<=1024, skip_tags string<=1024, "
    "start_at_task string<=1024, survey_enabled boolean, timeout integer, use_fact_cache boolean, "
    "verbosity choice(0 1 2 3 4 5), webhook_credential id:credentials, "
    f"webhook_service choice('' github gitlab bitbucket_dc), {_ASKS}",
    "notification_templates": "description string, messages json, name string!, notification_configuration json, "
    "notification_type choice!(awssns email grafana irc mattermost pagerduty rocketchat slack twilio webhook), "
    "organization id!:organizations",
    "projects": "allow_override boolean, credential id:credentials, default_environment id:execution_environments, "
    "description string, local_path string<=1024, name string!, organization id:organizations, "
    "scm_branch string<=256, scm_clean boolean, scm_delete_on_update boolean, scm_refspec string<=1024, "
    "scm_track_submodules boolean, scm_type choice('' git svn insights archive), scm_update_cache_timeout integer, "
    "scm_update_on_launch boolean, scm_url string<=1024, signature_validation_credential id:credentials, "
    "timeout integer",
    "schedules": "description string, enabled boolean, name string!, rrule string!, "
    f"unified_job_template id!:unified_job_templates, {_PROMPTS}",
    "teams": "description string, name string!, organization id!:organizations",
    "users": "username string!",
    "instance_groups": "name string!",
    "workflow_job_template_nodes": "all_parents_must_converge boolean, identifier string, "
    "unified_job_template id:unified_job_templates, workflow_job_template id!:workflow_job_templates, "
    + _PROMPTS,
    "workflow_approval_templates": "name string!, description string, timeout integer",
    "workflow_job_templates": "allow_simultaneous boolean, ask_inventory_on_launch boolean, "
    "ask_labels_on_launch boolean, ask_limit_on_launch boolean, ask_scm_branch_on_launch boolean, "
    "ask_skip_tags_on_launch boolean, ask_tags_on_launch boolean, ask_variables_on_launch boolean, "
    "description string, extra_vars json, inventory id:inventories, job_tags string, limit string, name string!, "
    "organization id:organizations, scm_branch string, skip_tags string, survey_enabled boolean, "
    "webhook_credential id:credentials, webhook_service choice('' github gitlab bitbucket_dc)",
}

UNIQUE = {
    "credentials": ("organization", "name", "credential_type"),
    "credential_types": ("name", "kind"),
    "execution_environments": ("name",),
    "hosts": ("name", "inventory"),
    "organizations": ("name",),
    "schedules": ("unified_job_template", "name"),
    "users": ("username",),
    "workflow_job_template_nodes": ("identifier", "workflow_job_template"),
}
"""What no two of a kind may have alike; of the others, organization and name."""

READ_ONLY = {"credential_types": {"managed"}, "workflow_job_template_nodes": {"type"}}
"""What awx.awx sends and AWX passes over."""

_ON_BY_DEFAULT = {("hosts", "enabled"), ("schedules", "enabled")}


@dataclass(frozen=True)
class Field:
    """One field of a resource."""

    kind: str
    required: bool = False
    choices: tuple[str, ...] = ()
    relation: str = ""
    longest: int | None = None
    nullable: bool = False

    @classmethod
    def read(cls, text: str, name: str) -> Field:
        """Return what a field of the table says, such as C(choice!(net cloud))."""
        declared, _, relation = text.partition(":")
        head, _, choices = declared.partition("(")
        kind, _, longest = head.strip("?").replace("!", "").partition("<=")
        limit = int(longest) if longest else (512 if name in ("name", "identifier") else None)
        found = tuple(each.strip("'") for each in choices.rstrip(")").split())
        return cls(kind, "!" in head, found, relation, limit, "?" in head or kind in ("id", "json"))

    def default(self) -> Any:
        """Return what AWX has where nothing was given."""
        if self.nullable and self.kind == "string":
            return None
        if self.kind == "choice":
            return self.choices[0]
        return {"string": "", "boolean": False, "integer": 0, "json": {}, "id": None}[self.kind]

    def trouble(self, given: Any) -> str | None:
        """Return what AWX says of a value that it refuses."""
        if given is None:
            return None if self.nullable else "This field may not be null."
        if self.kind == "choice" and str(given) not in self.choices:
            return f'"{given}" is not a valid choice.'
        if self.kind == "string" and not isinstance(given, str):
            return "Not a valid string."
        if self.kind == "string" and self.longest and len(given) > self.longest:
            return f"Ensure this field has no more than {self.longest} characters."
        if self.kind == "boolean" and not isinstance(given, bool):
            return "Must be a valid boolean."
        if self.kind in ("integer", "id") and (isinstance(given, bool) or not isinstance(given, int)):
            return "A valid integer is required."
        return None


def _fields(text: str) -> dict[str, Field]:
    found = {}
    for one in text.split(", "):
        name, _, declared = one.partition(" ")
        found[name] = Field.read(declared, name)
    return found


FIELDS = {resource: _fields(text) for resource, text in _TABLE.items()}


def defaults_of(resource: str) -> dict[str, Any]:
    """Return an object of a resource with nothing given."""
    found = {name: field.default() for name, field in FIELDS[resource].items()}
    for name in JSON_TEXT:
        if name in found:
            found[name] = ""
    return {**found, **{name: True for kind, name in _ON_BY_DEFAULT if kind == resource}}


def troubles(resource: str, given: dict[str, Any], *, is_new: bool) -> dict[str, list[str]]:
    """Return what AWX says of a request, by field; it passes over what it does not know, which is refused here."""
    fields = FIELDS[resource]
    found = {}
    for name, value in given.items():
        if name in READ_ONLY.get(resource, ()):
            continue
        trouble = fields[name].trouble(value) if name in fields else "There is no such field."
        if trouble is None and name in JSON_TEXT:
            trouble = _json_trouble(value)
        if trouble:
            found[name] = [trouble]
    for name, field in fields.items():
        if is_new and field.required and given.get(name) in (None, ""):
            found[name] = ["This field is required."]
    return found


def _json_trouble(value: Any) -> str | None:
    try:
        is_dict = isinstance(json.loads(value) if isinstance(value, str) else value, dict)
    except ValueError:
        is_dict = False
    return None if is_dict else "Must be valid JSON or YAML of a dictionary."
