# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module of this collection says of itself."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of the modules."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
    details:
      - In check mode the module plans as it does outside it, and the client refuses any call that writes.
  diff_mode:
    description: Returns what has changed, or in C(check_mode) would change, when in diff mode.
    support: full
  action_group:
    description: Use C(group/dalp.restate.restate) in C(module_defaults) to set the connection once.
    support: full
    membership:
      - dalp.restate.restate
"""
