# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a module, from the variables whose names begin with restate_."""

from __future__ import annotations

import difflib
import functools
import importlib
import re
import typing as t

from ..module_utils._errors import OperatorError
from ..module_utils._operations.approval import PlanDigest, nothing_approved
from ..module_utils._operations.operation import Operation
from ..module_utils._task.options import AUDIT_SPEC, argument_spec
from .option_values import PREFIX, Spec, absolute, example_of, is_unset, read_option

OPERATIONS = ("doctor", "redeploy", "cleanup", "recover_workflow", "resume")
RUNBOOK_VARIABLES = (
    "hosts",
    "kinds",
    "plan_digests",
    "audit",
    "audit_page",
    "audit_records",
    "report",
    *(f"sandbox_{name}" for name in ("state", "version", "nodes", "plant", "register_release_2")),
    *(f"sandbox_{name}" for name in ("cache", "file", "python", "lifetime")),
)
"""What the playbooks read besides the options of modules, without the prefix."""

_SPEC_OF_ROLE: dict[str, Spec] = {
    "audit_report": {"audit_page": {"type": "path"}, "audit_log": AUDIT_SPEC["audit_log"]},
}
_ROLES = (*OPERATIONS, "recover_failed")
_OLD_NAME = re.compile(rf"({'|'.join(_ROLES)})_(.+)")
_AWX = ("job_id", "job_template_id", "job_template_name", "workflow_job_id", "user_name")

ValueOf = t.Callable[[str], t.Any]
"""Returns the value of a variable, or None where there is none."""


def operation_of(module: str) -> Operation:
    """Return the operation of a module, by its name; raise RESTATE_INVALID_ARGUMENT for another name."""
    name = module.rpartition(".")[2].removeprefix(PREFIX)
    if name not in OPERATIONS:
        known = ", ".join(PREFIX + each for each in OPERATIONS)
        raise OperatorError("RESTATE_INVALID_ARGUMENT", f"{module} is not one of {known}.")
    package = __name__.rpartition(".plugin_utils.")[0]
    operation: Operation = importlib.import_module(f"{package}.modules.{PREFIX}{name}").OPERATION
    return operation


@functools.cache
def known_variables() -> frozenset[str]:
    """Return the names of all variables that something in the collection reads."""
    return frozenset(PREFIX + name for name in (*RUNBOOK_VARIABLES, *_all_options()))


@functools.cache
def public_variables() -> frozenset[str]:
    """Return the names of those variables whose values are not secret."""
    public = (name for name, option in _all_options().items() if not option.get("no_log"))
    return frozenset(PREFIX + name for name in (*RUNBOOK_VARIABLES, *public))


@functools.cache
def variables_with_texts() -> frozenset[str]:
    """Return the names of those variables that are, or hold, texts; YAML may have made others of these."""
    kinds = {name: option.get("type", "str") for name, option in _all_options().items()}
    texts = {PREFIX + name for name, kind in kinds.items() if kind in ("str", "path", "list")}
    return frozenset(texts | {f"awx_{name}" for name in _AWX})


def _all_options() -> dict[str, t.Mapping[str, t.Any]]:
    found: dict[str, t.Mapping[str, t.Any]] = {}
    for operation in map(operation_of, OPERATIONS):
        spec = argument_spec(operation)
        found |= {**spec, **spec.get("select", {}).get("options", {})}
    return found


def options_of(
    module: str, value_of: ValueOf, environment: t.Mapping[str, str], defaults: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """Return the options of a module that are set; what is not comes from the environment, then from O(defaults).

    Raises RESTATE_INVALID_ARGUMENT for what cannot be read, and where something is missing that the module needs.
    """
    if module in _SPEC_OF_ROLE:
        found = {**defaults, **_set(_SPEC_OF_ROLE[module], value_of, environment)}
        return {name: absolute(path) for name, path in found.items()}
    operation = operation_of(module)
    spec = argument_spec(operation)
    job, own = _of_job(value_of, environment), _set(spec, value_of, environment)
    if "audit_context" in own:
        own["audit_context"] = {**job.get("audit_context", {}), **own["audit_context"]}
    own |= _approved(operation, value_of)
    found = {**defaults, **job, **own}
    required = [[name] for name, option in spec.items() if option.get("required")]
    _check_given(module, [*required, *operation.constraints.get("required_one_of", ())], found)
    return found


def sub_options_of(
    module: str, option: str, value_of: ValueOf, defaults: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """Return what an option that is a dictionary holds, each from a variable of its own; raises as L(options_of)."""
    spec = argument_spec(operation_of(module))[option]["options"]
    found = {**defaults, **_set(spec, value_of, {})}
    _check_given(module, [[name] for name, each in spec.items() if each.get("required")], found)
    return found


def check_old_names(variables: t.Iterable[str]) -> None:
    """Raise RESTATE_INVALID_ARGUMENT for a variable of the roles as they were, which would be overlooked."""
    known = {name.removeprefix(PREFIX) for name in known_variables()} | {"connection"}
    for variable in variables:
        match = _OLD_NAME.fullmatch(variable)
        if not match or match[2] not in known or match[2] == "options":
            continue
        role, option = match[1], match[2]
        new = (
            f"{role}_options"
            if option == "connection"
            else f"{PREFIX}{option}, or {option} in {role}_options"
        )
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{variable} is not read any more. Nothing was touched.",
            remedy=f"Set {new}.",
        )


def misspelt(extra_variables: t.Iterable[str]) -> list[str]:
    """Return a warning for each variable that begins with restate_ and that nothing reads."""
    known = known_variables()
    unknown = sorted(each for each in extra_variables if each.startswith(PREFIX) and each not in known)
    warnings = []
    for name in unknown:
        nearest = difflib.get_close_matches(name, known, n=1)
        meant = f" Did you mean {nearest[0]}?" if nearest else ""
        warnings.append(f"The variable {name} is given, and nothing of dalp.restate reads it.{meant}")
    return warnings


def _approved(operation: Operation, value_of: ValueOf) -> dict[str, str]:
    """Return the digest that restate_plan_digests holds for a step; each step is called as its operation.

    A step that it does not hold was not approved.
    """
    name = f"{PREFIX}plan_digests"
    digests = read_option(name, value_of(name), {"type": "dict"})
    if not digests or not operation.is_write:
        return {}
    entry = f"{name}.{operation.name}"
    given = read_option(entry, digests.get(operation.name), {"type": "str"})
    if given:
        _check_digest(entry, given, operation.name)
    return {"plan_digest": given or nothing_approved(operation.name)}


def _check_digest(entry: str, given: str, operation: str) -> None:
    """Raise RESTATE_INVALID_ARGUMENT for a digest that a later step would refuse after the earlier ones were done."""
    try:
        PlanDigest.read(given, operation)
    except OperatorError as exc:
        raise OperatorError(
            exc.code,
            f"{entry} is not what a dry run of restate_{operation} returned. Nothing was touched.",
            remedy="Make a new dry run, and give the digests that it returns as they are.",
        ) from None


def _set(spec: Spec, value_of: ValueOf, environment: t.Mapping[str, str]) -> dict[str, t.Any]:
    found = {}
    for name, option in spec.items():
        value = read_option(PREFIX + name, value_of(PREFIX + name), option)
        if value is None:
            value = _from_environment(option, environment)
        if value is not None:
            found[name] = value
    return found


def _from_environment(option: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> t.Any:
    _function, names = option.get("fallback", (None, ()))
    for name in names:
        if not is_unset(environment.get(name)):
            return read_option(name, environment[name], option)
    return None


def _of_job(value_of: ValueOf, environment: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return who acts and in which job, as AWX tells it."""
    awx = _awx(value_of)
    actor = awx.get("awx_user_name") or environment.get("USER")
    return {**({"actor": actor} if actor else {}), **({"audit_context": awx} if awx else {})}


def _awx(value_of: ValueOf) -> dict[str, str]:
    told = {f"awx_{name}": value_of(f"awx_{name}") for name in _AWX}
    return {name: str(value) for name, value in told.items() if not is_unset(value)}


def _check_given(module: str, groups: t.Iterable[t.Sequence[str]], found: t.Mapping[str, t.Any]) -> None:
    for names in groups:
        if not any(name in found for name in names):
            variables = " or ".join(PREFIX + name for name in names)
            raise OperatorError(
                "RESTATE_INVALID_ARGUMENT",
                f"{variables} is not set; {module} needs it. Nothing was touched.",
                remedy=f"For example: -e {PREFIX}{names[0]}={example_of(names[0])}",
            )
