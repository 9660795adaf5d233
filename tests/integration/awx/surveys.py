# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX refuses of a survey's specification, and of the answers to one."""

from __future__ import annotations

from typing import Any

TYPES = ("text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float")
_KEYS = {
    *(
        "question_name",
        "question_description",
        "required",
        "type",
        "variable",
        "min",
        "max",
        "default",
        "choices",
    ),
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
    needed = ("type", "question_name", "variable", "required")
    numbers = [question[name] for name in ("min", "max") if name in question]
    wrong = {
        "there is a key that is not known": bool(set(question) - _KEYS),
        "type, question_name, variable and required are needed": not all(name in question for name in needed),
        "there is no such type": question.get("type") not in TYPES,
        "required must be true or false": not isinstance(question.get("required"), bool),
        "variable duplicated": question.get("variable") in seen,
        "min and max must be numbers": not all(isinstance(each, int) for each in numbers),
    }
    seen.add(str(question.get("variable")))
    return next((name for name, is_so in wrong.items() if is_so), None) or _trouble_of_default(question)


def _trouble_of_default(question: dict[str, Any]) -> str | None:
    kind, default, choices = question["type"], question.get("default", ""), choices_of(question)
    if kind in ("multiplechoice", "multiselect") and not choices:
        return "needs choices"
    if default == "":
        return None
    wanted = {"integer": int, "float": (int, float)}.get(kind, str)
    if isinstance(default, bool) or not isinstance(default, wanted):  # type: ignore[arg-type]
        return f"the default of {kind} is of another type"
    chosen = {"multiplechoice": [default], "multiselect": str(default).splitlines()}.get(kind, [])
    return "the default is not among the choices" if set(chosen) - set(choices) else None


def choices_of(question: dict[str, Any]) -> list[str]:
    """Return the choices of a question, which AWX takes as a list or as lines."""
    choices = question.get("choices", [])
    return choices.splitlines() if isinstance(choices, str) else list(choices)


def troubles_of_answers(specification: dict[str, Any], answers: dict[str, Any]) -> list[str]:
    """Return why AWX refuses to launch with these answers. A default stands for none of them."""
    questions = specification.get("spec", ())
    unknown = set(answers) - {question["variable"] for question in questions}
    found = [f"Variables {', '.join(sorted(unknown))} are not allowed on launch."] if unknown else []
    return found + [trouble for each in questions if (trouble := trouble_of_answer(each, answers))]


def trouble_of_answer(question: dict[str, Any], answers: dict[str, Any]) -> str | None:
    """Return why AWX refuses what is answered to a question; None for what it takes."""
    variable = question["variable"]
    if variable not in answers:
        return f"'{variable}' value missing" if question["required"] else None
    answer = answers[variable]
    if question["type"] in ("multiplechoice", "multiselect"):
        return _trouble_of_choice(question, answer)
    kinds = {"integer": (int,), "float": (int, float)}.get(question["type"], (str,))
    if type(answer) not in kinds:
        return f"Value {answer} for '{variable}' expected to be of another type."
    size = len(answer) if isinstance(answer, str) else answer
    low, high = question.get("min"), question.get("max")
    if low is not None and size < low:
        return f"'{variable}' value {answer} is too small (must be at least {low})."
    if high is not None and size > high:
        return f"'{variable}' value {answer} is too large (must be no more than {high})."
    return None


def _trouble_of_choice(question: dict[str, Any], answer: Any) -> str | None:
    variable = question["variable"]
    if question["type"] == "multiselect" and not isinstance(answer, list):
        return f"'{variable}' value is expected to be a list."
    chosen = answer if question["type"] == "multiselect" else [answer]
    if any(each not in choices_of(question) for each in chosen):
        return f"Value {answer} for '{variable}' expected to be one of {choices_of(question)}."
    return None
