# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes extensions/awx/surveys.yml, what AWX asks before each runbook, from what the modules say of their options.

    make awx-surveys

Which options are asked stands here; their help, type, choices and default come from the modules. What few operators
need is not asked: a site sets it as an extra variable. No secret is asked: those come with the credential.
"""

from __future__ import annotations

import importlib
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
SURVEYS = ROOT / "extensions" / "awx" / "surveys.yml"
PACKAGE = "ansible_collections.dalp.restate.plugins"

HEAD = """# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
---
# Written by scripts/awx_surveys.py from what the modules say of their options: make awx-surveys
"""


@dataclass(frozen=True)
class Question:
    """An option that is asked; O(option) is MODULE.OPTION, or MODULE.OPTION.SUBOPTION.

    O(also) is the same option of another module that the runbook calls, whose help is added.
    """

    option: str
    also: str = ""
    required: bool | None = None
    default: t.Any = None
    bounds: tuple[int, int] | None = None


REASON = Question("doctor.reason", required=True)
SNAPSHOT_DIR = "{{ awx_snapshot_dir }}"

_REGISTRATION = (
    Question("redeploy.service_url"),
    Question("redeploy.breaking"),
    Question("redeploy.settings"),
)
_REMOVAL = (
    Question("cleanup.force_drain"),
    Question("cleanup.drain_timeout", bounds=(0, 3600)),
    Question("cleanup.pending"),
    Question("cleanup.keep"),
    # Each playbook has a default of its own.
    Question("cleanup.keep_revisions", default="", bounds=(0, 100)),
    Question("cleanup.max_removed", bounds=(0, 10000)),
)

RUNBOOKS: dict[str, tuple[Question, ...]] = {
    # What the playbook fails on by itself
    "doctor": (Question("doctor.fail_on", default=["degraded", "critical"]),),
    "release": (
        *_REGISTRATION,
        *_REMOVAL,
        Question("redeploy.allow_service_removal", also="cleanup.allow_service_removal"),
        REASON,
    ),
    "redeploy": (
        *_REGISTRATION,
        Question("redeploy.allow_service_removal"),
        Question("redeploy.wait_timeout", bounds=(0, 3600)),
        REASON,
    ),
    "rollback": (Question("redeploy.service_url"), REASON),
    "cleanup": (
        Question("cleanup.service_url"),
        Question("cleanup.remove"),
        *_REMOVAL,
        Question("cleanup.migrate_paused"),
        Question("cleanup.allow_service_removal"),
        Question("cleanup.min_age"),
        REASON,
    ),
    "resume": (Question("resume.invocation_ids", required=True), Question("resume.deployment"), REASON),
    "recover_workflow": (
        Question("recover_workflow.service_name", required=True),
        Question("recover_workflow.service_key", required=True),
        Question("recover_workflow.kill_active"),
        Question("recover_workflow.stuck_after_retries", bounds=(1, 1000)),
        Question("recover_workflow.clear_orphaned_state"),
        Question("recover_workflow.snapshot_dir", default=SNAPSHOT_DIR),
        Question("recover_workflow.resubmit"),
        REASON,
    ),
    "recover_failed": (
        Question("recover_workflow.select.kinds", default=["failed", "paused", "backing_off"]),
        # It must be told, which the default does: AWX takes a default for no answer to what is required.
        Question("recover_workflow.select.limit", required=False, default=100, bounds=(1, 10000)),
        Question("recover_workflow.select.service_name"),
        Question("recover_workflow.select.failed_after"),
        Question("recover_workflow.select.failed_before"),
        Question("recover_workflow.select.failure_matches"),
        Question("recover_workflow.snapshot_dir", required=True, default=SNAPSHOT_DIR),
        Question("recover_workflow.resubmit"),
        Question("resume.deployment"),
        REASON,
    ),
}

_MARKUP = (
    (re.compile(r"\b(?:O|RV|P|E|V|C|I|B)\((?:[\w.]+#\w+:)?([^)]*)\)"), r"\1"),
    (re.compile(r"\bM\(([^)]*)\)"), r"\1"),
)


def surveys() -> dict[str, dict[str, t.Any]]:
    """Return the survey of each runbook, and that of its dry run, in which no answer but the subject is required."""
    found = {}
    for runbook, questions in RUNBOOKS.items():
        found[runbook] = _survey([_asked(question) for question in questions])
        optional = [Question(REASON.option) if question is REASON else question for question in questions]
        found[f"{runbook}_dry_run"] = _survey([_asked(question) for question in optional])
    return found


def text() -> str:
    """Return what belongs in the file."""
    return HEAD + yaml.dump({"awx_surveys": surveys()}, Dumper=_Dumper, sort_keys=False, width=110)


def _survey(spec: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    return {"name": "", "description": "", "spec": spec}


def _asked(question: Question) -> dict[str, t.Any]:
    option, told = _option(question.option)
    if question.also:
        told = f"{told} {_option(question.also)[1]}"
    name = question.option.rpartition(".")[2]
    kind, choices = _type(option)
    default = option.get("default") if question.default is None else question.default
    required = bool(option.get("required")) if question.required is None else question.required
    asked = {
        "question_name": _title(name),
        "question_description": told,
        "required": required,
        "type": kind,
        "variable": f"restate_{name}",
    }
    if question.bounds:
        asked["min"], asked["max"] = question.bounds
    elif required and kind in ("text", "textarea"):
        # AWX takes an empty text for an answer to what is required.
        asked["min"] = 1
    asked["default"] = _default(default)
    if choices:
        asked["choices"] = choices
    return asked


def _option(path_of_option: str) -> tuple[dict[str, t.Any], str]:
    """Return what the argument spec says of an option, and its help from the documentation."""
    module, *path = path_of_option.split(".")
    operation = importlib.import_module(f"{PACKAGE}.modules.restate_{module}").OPERATION
    spec = importlib.import_module(f"{PACKAGE}.module_utils._task.options").argument_spec(operation)
    documented = _documented(module)
    for name in path[:-1]:
        spec, documented = spec[name]["options"], documented[name]["suboptions"]
    return spec[path[-1]], _help(documented[path[-1]]["description"])


def _documented(module: str) -> dict[str, t.Any]:
    own = importlib.import_module(f"{PACKAGE}.modules.restate_{module}").DOCUMENTATION
    found: dict[str, t.Any] = {}
    for fragment in ("connection", "audit"):
        shared = importlib.import_module(
            f"{PACKAGE}.doc_fragments.{fragment}"
        ).ModuleDocFragment.DOCUMENTATION
        found |= yaml.safe_load(shared)["options"]
    return {**found, **yaml.safe_load(own)["options"]}


def _type(option: dict[str, t.Any]) -> tuple[str, list[str]]:
    """Return the type of the question, and its choices. AWX has no boolean."""
    kind, choices = option.get("type", "str"), list(option.get("choices", ()))
    if kind == "bool":
        return "multiplechoice", ["false", "true"]
    if choices:
        return ("multiselect" if kind == "list" else "multiplechoice"), choices
    if kind == "list":
        return "textarea", []
    return {"int": "integer", "float": "float"}.get(kind, "text"), []


def _default(default: t.Any) -> t.Any:
    if default is None or default == []:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, list):
        return "\n".join(default)
    return default


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize().replace(" url", " URL")


def _help(description: str | list[str]) -> str:
    """Return the documentation as plain text; what holds through DALP only is left to the documentation."""
    paragraphs = [description] if isinstance(description, str) else description
    sentences = [
        each for one in paragraphs for each in re.split(r"(?<=[.])\s+(?=[A-Z])", " ".join(one.split()))
    ]
    plain = " ".join(each for each in sentences if "backend=dalp" not in each)
    for markup, content in _MARKUP:
        plain = markup.sub(content, plain)
    return plain


class _Dumper(yaml.SafeDumper):
    """Writes as yamllint wants it: lists are indented, and nothing is an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: t.Any) -> bool:  # noqa: ARG002
        return True


_Dumper.add_representer(
    str,
    lambda dumper, data: dumper.represent_scalar(
        "tag:yaml.org,2002:str", data, style="|" if "\n" in data else None
    ),
)

if __name__ == "__main__":
    SURVEYS.write_text(text(), encoding="utf-8")
