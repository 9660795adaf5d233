# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX holds, and the rules by which it refuses what would not fit together."""

from __future__ import annotations

import re
from typing import Any

import jinja2
import jinja2.sandbox

from tests.integration.awx import surveys
from tests.integration.awx.fields import FIELDS, UNIQUE, defaults_of, troubles

ENCRYPTED = "$encrypted$"
TEMPLATES = ("job_templates", "workflow_job_templates", "projects", "workflow_approval_templates")
ROLES = {
    "job_templates": ("admin", "execute", "read"),
    "workflow_job_templates": ("admin", "execute", "read", "approval"),
}
EDGES = ("success_nodes", "failure_nodes", "always_nodes")
_NOTIFICATIONS = (
    "notification_templates_started",
    "notification_templates_success",
    "notification_templates_error",
)
ASSOCIATIONS: dict[str, tuple[str, ...]] = {
    "job_templates": ("credentials", "instance_groups", *_NOTIFICATIONS),
    "workflow_job_templates": (*_NOTIFICATIONS, "notification_templates_approvals"),
    "workflow_job_template_nodes": EDGES,
    "projects": _NOTIFICATIONS,
    "inventories": ("instance_groups",),
    "organizations": (
        "instance_groups",
        "galaxy_credentials",
        *_NOTIFICATIONS,
        "notification_templates_approvals",
    ),
}
_CASCADES = {
    "inventories": (("hosts", "inventory"),),
    "job_templates": (("schedules", "unified_job_template"),),
    "workflow_job_templates": (("workflow_job_template_nodes", "workflow_job_template"),),
}

Object = dict[str, Any]


class Refused(Exception):  # noqa: N818
    """What AWX refuses, with the status and the body of its answer."""

    def __init__(self, body: Any, status: int = 400) -> None:
        super().__init__(str(body))
        self.body, self.status = body, status


class Store:
    """The objects, by resource and id."""

    def __init__(self, playbooks: dict[str, list[str]]) -> None:
        """Begin with an organization; O(playbooks) are those of a project, by its URL or local path."""
        self.objects: dict[str, dict[int, Object]] = {resource: {} for resource in FIELDS}
        self.surveys: dict[tuple[str, int], Object] = {}
        self.associated: dict[tuple[str, int, str], list[int]] = {}
        self.granted: dict[tuple[str, int, str], set[int]] = {}
        self._playbooks = playbooks
        self._next = 1
        self.create("organizations", {"name": "Default"})

    def found(self, resource: str, filters: dict[str, str]) -> list[tuple[str, int]]:
        """Return what fits all filters; raise Refused for a filter that AWX does not have."""
        resources = TEMPLATES if resource == "unified_job_templates" else (resource,)
        return [
            (each, number)
            for each in resources
            for number, one in self.objects[each].items()
            if self._fits(each, number, one, filters)
        ]

    def _fits(self, resource: str, number: int, one: Object, filters: dict[str, str]) -> bool:
        either = {name[4:]: text for name, text in filters.items() if name.startswith("or__")}
        every = {name: text for name, text in filters.items() if not name.startswith("or__")}
        for name in {*either, *every} - {"id"} - set(FIELDS[resource]):
            if name != "organization":
                raise Refused({"detail": f"{resource} has no field named '{name}'"})
        held = {**one, "id": number}
        return all(str(held.get(name)) == text for name, text in every.items()) and (
            not either or any(str(held.get(name)) == text for name, text in either.items())
        )

    def create(self, resource: str, given: Object) -> int:
        """Make an object, and return its id; raise Refused for what AWX refuses."""
        self._check(resource, given, None)
        number, self._next = self._next, self._next + 1
        known = {name: value for name, value in given.items() if name in FIELDS[resource]}
        self.objects[resource][number] = {**defaults_of(resource), **known}
        return number

    def update(self, resource: str, number: int, given: Object) -> None:
        """Change an object; raise Refused for what AWX refuses."""
        held = self.objects[resource][number]
        self._check(resource, given, number)
        given = {name: value for name, value in given.items() if name in FIELDS[resource]}
        if resource == "credentials" and "inputs" in given:
            kept = {
                name: held["inputs"].get(name)
                for name, value in given["inputs"].items()
                if value == ENCRYPTED
            }
            given = {**given, "inputs": {**given["inputs"], **kept}}
        held.update(given)

    def delete(self, resource: str, number: int) -> None:
        """Remove an object with all that goes with it; raise Refused for a type that credentials are of."""
        of_type = [one for one in self.objects["credentials"].values() if one["credential_type"] == number]
        if resource == "credential_types" and of_type:
            raise Refused({"detail": "Credential types that are in use cannot be deleted."}, 403)
        held = self.objects[resource].pop(number)
        # AWX removes an approval with its node.
        if resource == "workflow_job_template_nodes":
            self.objects["workflow_approval_templates"].pop(held["unified_job_template"], None)
        for other, field in _CASCADES.get(resource, ()):
            for each in [each for each, one in self.objects[other].items() if one[field] == number]:
                self.delete(other, each)
        self._forget(resource, number)

    def _forget(self, resource: str, number: int) -> None:
        self.surveys.pop((resource, number), None)
        for (kind, owner, name), numbers in list(self.associated.items()):
            if (kind, owner) == (resource, number):
                del self.associated[kind, owner, name]
            elif number in numbers:
                numbers.remove(number)

    def set_survey(self, resource: str, number: int, specification: Any) -> None:
        """Give a template a survey; raise Refused for one that AWX refuses."""
        trouble = surveys.trouble_of(specification)
        if trouble:
            raise Refused({"error": trouble})
        self.surveys[resource, number] = specification

    def associate(self, owner: tuple[str, int, str], number: int, *, is_removal: bool) -> None:
        """Link two objects, or end that; raise Refused for what is not there, and for nodes in a circle."""
        resource, mine, name = owner
        target = _target(name)
        if number not in self.objects[target]:
            raise Refused({"msg": f"{target} {number} does not exist"})
        held = self.associated.setdefault(owner, [])
        if is_removal:
            held.remove(number)
            return
        if name in EDGES and mine in self._after(number):
            raise Refused({"Error": "Cycle detected."})
        if name in EDGES and any(number in self.associated.get((resource, mine, edge), ()) for edge in EDGES):
            raise Refused({"Error": "Relationship not allowed."})
        if number not in held:
            held.append(number)

    def _after(self, node: int) -> set[int]:
        links = (self.associated.get(("workflow_job_template_nodes", node, edge), []) for edge in EDGES)
        following = {each for numbers in links for each in numbers}
        return {node}.union(*(self._after(each) for each in following))

    def make_approval(self, node: int, given: Object) -> int:
        """Turn a node without a template into an approval, and return the id of what is asked."""
        held = self.objects["workflow_job_template_nodes"][node]
        number = self.create("workflow_approval_templates", given)
        held["unified_job_template"] = number
        return number

    def _check(self, resource: str, given: Object, number: int | None) -> None:
        found = troubles(resource, given, is_new=number is None)
        for name, field in FIELDS[resource].items():
            value = given.get(name)
            if field.relation and value is not None and not self._exists(field.relation, value):
                found[name] = [f'Invalid pk "{value}" - object does not exist.']
        if found:
            raise Refused(found)
        whole = {**(self.objects[resource][number] if number else defaults_of(resource)), **given}
        unique = UNIQUE.get(resource, ("organization", "name"))
        for other, one in self.objects[resource].items():
            if other != number and all(one.get(name) == whole.get(name) for name in unique):
                raise Refused({"__all__": [f"{resource} with this {', '.join(unique)} already exists."]})
        rule = getattr(self, f"_check_{resource}", None)
        if rule:
            rule(whole, number)

    def _exists(self, relation: str, number: int) -> bool:
        resources = TEMPLATES if relation == "unified_job_templates" else (relation,)
        return any(number in self.objects[each] for each in resources)

    def _check_job_templates(self, whole: Object, _number: int | None) -> None:
        if whole["inventory"] is None and not whole["ask_inventory_on_launch"]:
            raise Refused({"inventory": ["Job Template must provide 'inventory' or allow prompting for it."]})
        if whole["project"] is None:
            raise Refused({"project": ["Job Templates must have a project assigned."]})
        if whole["playbook"] not in self.playbooks_of(whole["project"]):
            raise Refused({"playbook": ["Playbook not found for project."]})

    def playbooks_of(self, project: int) -> list[str]:
        """Return the playbooks that AWX sees in a project."""
        held = self.objects["projects"][project]
        return self._playbooks.get(held["scm_url"] or held["local_path"], [])

    def _check_projects(self, whole: Object, number: int | None) -> None:
        if whole["scm_type"] and not whole["scm_url"]:
            raise Refused({"scm_url": ["SCM URL is required."]})
        if whole["scm_type"]:
            return
        if whole["local_path"] not in self._playbooks:
            raise Refused({"local_path": ["Invalid path choice."]})
        others = [one for other, one in self.objects["projects"].items() if other != number]
        if any(one["local_path"] == whole["local_path"] for one in others):
            raise Refused({"local_path": ["This path is already being used by another manual project."]})

    def _check_credentials(self, whole: Object, _number: int | None) -> None:
        if not any(whole.get(owner) for owner in ("organization", "team", "user")):
            raise Refused({"detail": ["Missing 'user', 'team', or 'organization'."]})
        known = {
            field["id"]
            for field in self.objects["credential_types"][whole["credential_type"]]["inputs"]["fields"]
        }
        unknown = set(whole["inputs"]) - known
        if unknown or not all(isinstance(value, (str, bool)) for value in whole["inputs"].values()):
            raise Refused({"inputs": [f"Additional properties are not allowed: {sorted(unknown)}"]})

    def _check_credential_types(self, whole: Object, _number: int | None) -> None:
        fields = whole["inputs"].get("fields", [])
        allowed = {
            "id",
            "label",
            "type",
            "secret",
            "multiline",
            "help_text",
            "choices",
            "format",
            "ask_at_runtime",
        }
        if any(set(field) - allowed or not {"id", "label"} <= set(field) for field in fields):
            raise Refused({"inputs": ["Schema validation error of a field."]})
        if set(whole["inputs"].get("required", ())) - {field["id"] for field in fields}:
            raise Refused({"inputs": ["A required field is not declared."]})
        _check_injectors(whole["injectors"], [field["id"] for field in fields])

    def _check_workflow_job_template_nodes(self, whole: Object, _number: int | None) -> None:
        template = self.objects["job_templates"].get(whole["unified_job_template"])
        if template is None:
            return
        for prompt in ("inventory", "limit", "job_type", "extra_data"):
            asked = template[
                "ask_variables_on_launch" if prompt == "extra_data" else f"ask_{prompt}_on_launch"
            ]
            if whole[prompt] and not asked:
                raise Refused({prompt: ["Field is not configured to prompt on launch."]})

    def _check_schedules(self, whole: Object, _number: int | None) -> None:
        if not re.fullmatch(r"DTSTART\S*:\S+ RRULE:(?=.*INTERVAL=\d)\S+", whole["rrule"]):
            raise Refused({"rrule": ["Valid DTSTART and INTERVAL required in rrule."]})
        specification = self.surveys.get(("job_templates", whole["unified_job_template"]), {})
        wrong = surveys.troubles_of_answers(specification, whole["extra_data"])
        if wrong:
            raise Refused({"extra_data": wrong})


def _target(association: str) -> str:
    if association in EDGES:
        return "workflow_job_template_nodes"
    if association.startswith("notification_templates"):
        return "notification_templates"
    return {"galaxy_credentials": "credentials"}.get(association, association)


def target_of(association: str) -> str:
    """Return the resource that an association leads to."""
    return _target(association)


def _check_injectors(injectors: Object, fields: list[str]) -> None:
    if set(injectors) - {"env", "extra_vars", "file"}:
        raise Refused({"injectors": ["Schema validation error."]})
    files = [name.partition(".")[2] for name in injectors.get("file", {})]
    names = {
        **dict.fromkeys(fields, "EXAMPLE"),
        "tower": {"filename": dict.fromkeys(files, "EXAMPLE_FILENAME")},
    }
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    for name in injectors.get("env", {}):
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            raise Refused({"injectors": [f"{name} is no name of a variable."]})
    for template in [each for templates in injectors.values() for each in templates.values()]:
        try:
            environment.from_string(template).render(**names)
        except jinja2.TemplateError as exc:
            raise Refused({"injectors": [f"{template}: {exc}"]}) from exc
