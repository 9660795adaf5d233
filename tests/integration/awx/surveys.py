# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX refuses of a survey's specification, and what of the answers to one."""

from __future__ import annotations

from typing import Any

TYPES = ("text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float")
_KEYS = {
    *("question_name", "question_description", "required", "type", "variable", "min", "max", "default", "choices"),
    "new_question",
}


def trouble_of(specification: Any) -> str | None:
    """Return why AWX refuses a survey; None for one that it takes."""
    if not isinstance(specification, dict):
        return "Expected a dictionary."
    for name, kind in (("name", str), ("description", str), ("spec", list)):
        if not isinstance(specification.get(name), kind):
            return f"'{name}' missing from survey spec, or of the wrong type."
    if not specification["spec"]:
        return "'spec' must be a list of items."
    seen: set[str] = set()
    for number, question in enumerate(specification["spec"]):
        trouble = _trouble_of_question(question, seen)
        if trouble:
            return f"Survey question {number}: {trouble}"
    return None


def _trouble_of_question(question: dict[str, Any], seen: set[str]) -> str | None:
    unknown = set(question) - _KEYS
    if unknown:
        return f"unknown {sorted(unknown)}"
    for name in ("type", "question_name", "variable", "required"):
        if name not in question:
            return f"'{name}' missing."
    if question["type"] not in TYPES:
        return f"'{question['type']}' is not one of {TYPES}."
    if not isinstance(question["required"], bool):
        return "'required' must be true or false."
    if question["variable"] in seen:
        return f"'variable' '{question['variable']}' duplicated."
    seen.add(question["variable"])
    for name in ("min", "max"):
        if name in question and not isinstance(question[name], int):
            return f"'{name}' must be a number."
    return _trouble_of_default(question)


def _trouble_of_default(question: dict[str, Any]) -> str | None:
    kind, default = question["type"], question.get("default", "")
    if kind in ("multiplechoice", "multiselect") and not choices_of(question):
        return "needs choices."
    if default == "":
        return None
    if kind == "integer" and (isinstance(default, bool) or not isinstance(default, int)):
        return "default must be an integer."
    if kind == "float" and not isinstance(default, (int, float)):
        return "default must be a number."
    if kind not in ("integer", "float") and not isinstance(default, str):
        return "default must be a text."
    chosen = [default] if kind == "multiplechoice" else default.splitlines() if kind == "multiselect" else []
    if any(each not in choices_of(question) for each in chosen):
        return "default is not among the choices."
    return None


def choices_of(question: dict[str, Any]) -> list[str]:
    """Return the choices of a question, which AWX takes as a list or as lines."""
    choices = question.get("choices", [])
    return choices.splitlines() if isinstance(choices, str) else list(choices)


def missing_answers(specification: dict[str, Any], answers: dict[str, Any]) -> list[str]:
    """Return the variables of required questions that have neither an answer nor a default."""
    return [
        question["variable"]
        for question in specification.get("spec", ())
        if question["required"] and question.get("default", "") == "" and not answers.get(question["variable"])
    ]
