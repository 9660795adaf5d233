# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of one module, from variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: options
short_description: The options of a module of this collection, from variables
description:
  - Returns a dictionary with those options of the module that are set in a variable of the same name with C(restate_)
    in front, such as C(restate_admin_url).
  - Empty or blank text and null mean that a variable is not set. Lists are taken as lists, as text with commas, or as
    text with one entry a line; numbers and booleans as text, too; dictionaries as JSON or YAML text, too.
  - What is not set comes from the environment of the controller, where the module has an environment variable for it.
  - A relative path is one from the directory in which Ansible was called.
  - The C(plan_digest) of a module is what the dictionary C(restate_plan_digests) holds for it by its name without
    C(restate_); where that is not empty and holds none, no plan was approved, and the module refuses to act.
  - What AWX tells of its job goes into C(audit_context) and C(actor).
author:
  - The dalp.restate contributors (@dalp)
options:
  _terms:
    description:
      - The module's name, such as V(restate_cleanup).
      - With the name of one of its options as the second term, what that option holds, each from a variable of its own.
    type: list
    elements: str
    required: true
notes:
  - Any other keyword is a default of that option, for what is set nowhere.
  - What cannot be read is an error that begins with RESTATE_INVALID_ARGUMENT and names the variable.
seealso:
  - module: dalp.restate.restate_cleanup
"""

EXAMPLES = r"""
- name: Clean up with the variables restate_service_url, restate_force_drain and so on
  module_defaults:
    dalp.restate.restate_cleanup: "{{ lookup('dalp.restate.options', 'restate_cleanup', max_removed=3) }}"
  dalp.restate.restate_cleanup:

- name: Show what recover_failed would select
  ansible.builtin.debug:
    msg: "{{ lookup('dalp.restate.options', 'restate_recover_workflow', 'select') }}"
"""

RETURN = r"""
_raw:
  description: The options that are set.
  type: list
  elements: dict
  sample:
    - {service_url: "http://orders-v2:9080", force_drain: true}
"""

import os
import typing as t

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from ..module_utils._errors import OperatorError
from ..plugin_utils.options import (
    check_old_names,
    misspelt,
    options_of,
    sub_options_of,
    variables_with_texts,
)
from ..plugin_utils.report.files import VARIABLE, check_report_path
from ..plugin_utils.written import as_written


class LookupModule(LookupBase):  # type: ignore[misc]
    """Reads variables of the task that asks."""

    def run(
        self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[t.Any]:
        """Return the options, in a list as lookups do; raise AnsibleError for what cannot be read."""
        given = variables or {}

        def value_of(name: str) -> t.Any:
            if name not in given:
                return None
            try:
                value = self._templar.template(given[name])
            except AnsibleError as exc:
                raise OperatorError(
                    "RESTATE_INVALID_ARGUMENT",
                    f"{name} cannot be read: {exc.message}. Nothing was touched.",
                    remedy="Define what it refers to, or leave it out.",
                ) from None
            return _as_written(name, value)

        for warning in misspelt(load_extra_vars(self._loader)):
            Display().warning(warning)
        try:
            check_old_names(given)
            hosts = given.get("ansible_play_hosts_all") or []
            check_report_path(value_of(VARIABLE), given.get("inventory_hostname", ""), hosts)
            if len(terms) > 1:
                return [sub_options_of(terms[0], terms[1], value_of, kwargs)]
            return [options_of(terms[0], value_of, os.environ, kwargs)]
        except OperatorError as exc:
            raise AnsibleError(f"{exc.code}: {exc.message} What to do: {exc.remedy}") from None


def _as_written(name: str, value: t.Any) -> t.Any:
    extra_vars = context.CLIARGS.get("extra_vars") or ()
    return as_written(name, value, extra_vars) if name in variables_with_texts() else value
