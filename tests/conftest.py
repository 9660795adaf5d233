# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the collection importable under its full name, also where pytest was not started by make."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COLLECTIONS = ROOT / ".build" / "collections"


def link_collection() -> None:
    """Make ROOT known as COLLECTIONS/ansible_collections/dalp/restate."""
    link = COLLECTIONS / "ansible_collections" / "dalp" / "restate"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(os.path.relpath(ROOT, link.parent))


link_collection()
sys.path[:0] = [str(COLLECTIONS), str(ROOT / "roles" / "sandbox" / "files")]
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "scripts" / "ansible.cfg"))
os.environ.setdefault("SANDBOX_CACHE", str(ROOT / ".build" / "restate"))
