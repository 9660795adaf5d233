# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""M(dalp.restate.restate_doctor) in Ansible's own process, where it can run there."""

from __future__ import annotations

from ..modules.restate_doctor import OPERATION
from ..plugin_utils.in_process import action_of, options_check

ActionModule = action_of(OPERATION)
main = options_check(OPERATION)
