# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules of this collection record of an attempt."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the audit record."""

    DOCUMENTATION = r"""
options:
  reason:
    description: Why this is done, for the audit record.
    type: str
  actor:
    description: Who does it, for the audit record. By default the user that the module runs as.
    type: str
  audit_context:
    description: What else the audit record should tell, such as a change ticket or the id of a job.
    type: dict
    default: {}
"""
