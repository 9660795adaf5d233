# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options as people give them in variables: text, lists and numbers in many forms, read by the argument spec."""

from __future__ import annotations

import json
import math
import re
import typing as t
from pathlib import Path

import yaml
from ansible.module_utils.parsing.convert_bool import boolean

from ..module_utils._errors import OperatorError
from ..module_utils._http import urls
from ..module_utils._task.options import URL_OPTIONS
from .written import texts_in

PREFIX = "restate_"

Spec = t.Mapping[str, t.Mapping[str, t.Any]]

# A comma in brackets belongs to what stands there, such as the {1,3} of a pattern.
_COMMA = re.compile(r",(?![^{\[(]*[}\])])")


class _Kind(t.NamedTuple):
    read: t.Callable[[t.Any], t.Any]
    wanted: str
    example: str


def is_unset(value: t.Any) -> bool:
    """Whether a value stands for none: null, and empty or blank text. An empty list is a value."""
    return value is None or (isinstance(value, str) and not value.strip())


def read_option(name: str, value: t.Any, option: t.Mapping[str, t.Any]) -> t.Any:
    """Return the value of O(name) as its argument spec O(option) has it, or None where it is unset.

    Raises RESTATE_INVALID_ARGUMENT with the name, the form that is wanted and an example. A secret is not shown.
    """
    if is_unset(value):
        return None
    kind = _kind_of(name.removeprefix(PREFIX), option)
    try:
        read = kind.read(value)
    except (ValueError, TypeError, yaml.YAMLError):
        shown = "" if option.get("no_log") else f"; it is {value!r}"
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{name} must be {kind.wanted}{shown}. Nothing was touched.",
            remedy=f"For example: -e {name}={kind.example}",
        ) from None
    if option.get("type") == "dict" and option.get("options"):
        read = _sub_options(name, read, option["options"])
    _check_choices(name, read, option.get("choices"))
    return read


def _sub_options(name: str, given: dict[str, t.Any], spec: Spec) -> dict[str, t.Any]:
    """Return those that are set; what is not known stays, for the module to refuse."""
    known = {each: read_option(f"{name}.{each}", given[each], spec[each]) for each in given if each in spec}
    return {each: known.get(each, given[each]) for each in given if known.get(each, given[each]) is not None}


def _check_choices(name: str, read: t.Any, choices: t.Sequence[str] | None) -> None:
    wrong = [each for each in (read if isinstance(read, list) else [read]) if choices and each not in choices]
    if wrong:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{name} must be one of {', '.join(choices or ())}; it is {wrong[0]!r}. Nothing was touched.",
            remedy=f"For example: -e {name}={(choices or ('',))[0]}",
        )


def _kind_of(name: str, option: t.Mapping[str, t.Any]) -> _Kind:
    kind = option.get("type", "str")
    example = (option.get("choices") or [_EXAMPLES.get(name, "text")])[0]
    if kind == "list" and option.get("elements") == "dict":
        return _Kind(
            _dicts, "a list of dictionaries, or JSON or YAML text of one", _EXAMPLES.get(name, "'[{}]'")
        )
    if kind == "list":
        split = urls.several if name in URL_OPTIONS else _split
        return _Kind(
            lambda value: _texts(value, split), "a list, text with commas, or one a line", f"{example},..."
        )
    if name in URL_OPTIONS:
        return _Kind(_stripped, "a URL", example)
    return {
        "bool": _Kind(_bool, "true or false", "true"),
        "int": _Kind(_int, "a whole number", str(option.get("default") or 10)),
        "float": _Kind(_float, "a number", str(option.get("default") or 10)),
        "path": _Kind(absolute, "the path of a file or folder", "/var/lib/restate"),
        "dict": _Kind(_dict, "a dictionary, or JSON or YAML text of one", '\'{"name": "text"}\''),
    }.get(kind, _Kind(_text if name in _EXACT else _stripped, "a text", example))


_EXACT = ("service_key", "failure_matches")
"""What may begin or end with a blank: Restate takes any text for a key."""

_EXAMPLES = {
    "admin_url": "http://restate.example.com:9070",
    "ingress_url": "http://restate.example.com:8080",
    "service_url": "http://orders-v2:9080",
    "service_name": "OrderWorkflow",
    "service_key": "order-1001",
    "invocation_ids": "inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz",
    "min_age": "2h",
    "failed_before": "2h",
    "failed_after": "2026-11-22T03:00:00Z",
    "limit": "100",
    "workflows": """'[{"service_name": "OrderWorkflow", "service_key": "order-1001"}]'""",
}


def example_of(name: str) -> str:
    """Return an example of an option's value, as it stands on a command line."""
    return _EXAMPLES.get(name, "...")


def _text(value: t.Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(value)
    return str(value)


def _stripped(value: t.Any) -> str:
    """Return a text without the blanks around it: what is pasted into a form often has some."""
    return _text(value).strip()


def _bool(value: t.Any) -> bool:
    if isinstance(value, (list, dict)):
        raise TypeError(value)
    return bool(boolean(value.strip() if isinstance(value, str) else value, strict=True))


def _int(value: t.Any) -> int:
    number = _float(value)
    if not number.is_integer():
        raise ValueError(value)
    return int(number)


def _float(value: t.Any) -> float:
    if isinstance(value, bool):
        raise TypeError(value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def absolute(path: t.Any) -> str:
    """Return a path from the directory in which Ansible was called: a module runs in that of its playbook."""
    text = _text(path)
    return text if text.startswith(("/", "~", "$")) else str(Path.cwd() / text)


def _dict(value: t.Any) -> dict[str, t.Any]:
    found = yaml.safe_load(value) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise TypeError(value)
    return dict(found)


def _dicts(value: t.Any) -> list[dict[str, t.Any]]:
    found = texts_in(value) if isinstance(value, str) else value
    return [_dict(each) for each in ([found] if isinstance(found, dict) else list(found))]


def _texts(value: t.Any, split: t.Callable[[str], list[str]]) -> list[str]:
    if isinstance(value, dict):
        raise TypeError(value)
    if isinstance(value, str):
        return _from_text(value.strip(), split)
    found = value if isinstance(value, (list, tuple)) else [value]
    return [_text(each).strip() for each in found if not is_unset(each)]


def _from_text(text: str, split: t.Callable[[str], list[str]]) -> list[str]:
    if text.startswith("["):
        found = _listed(text)
        if found is not None:
            return _texts(found, split)
    parts = text.splitlines() if "\n" in text else split(text)
    return [part.strip() for part in parts if part.strip()]


def _listed(text: str) -> list[t.Any] | None:
    """Return the list that JSON or YAML text is; None for other text, such as a pattern that begins with a bracket."""
    for load in (json.loads, yaml.safe_load):
        try:
            found = load(text)
        except (ValueError, yaml.YAMLError):
            continue
        if isinstance(found, list):
            return found
    return None


def _split(text: str) -> list[str]:
    return _COMMA.split(text)
