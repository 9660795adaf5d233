# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A linter that calls an action plugin gets its options, and nothing is carried out."""

from __future__ import annotations

import importlib

import pytest
from ansible.module_utils import basic

ACTIONS = ("cleanup", "doctor", "recover_workflow", "redeploy", "resume")


@pytest.mark.parametrize("name", ACTIONS)
def test_a_linter_reads_the_options_of_a_module_from_its_action(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    action = importlib.import_module(f"ansible_collections.dalp.restate.plugins.action.restate_{name}")
    # Only what is imported already may be replaced: the class is the base of another one.
    monkeypatch.setattr(basic, "AnsibleModule", lambda **given: made.append(given))
    action.main()
    [given] = made
    assert given["supports_check_mode"]
    assert {"admin_url", "redact_patterns"} <= given["argument_spec"].keys()
