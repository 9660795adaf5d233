# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes the collection awx.awx out of the package ansible, into .build/collections.

make awx-collection
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "ansible==12.3.0"
"""It holds awx.awx 24.6.1, and is the last one for Python 3.11."""

COLLECTIONS = Path(__file__).resolve().parents[1] / ".build" / "collections" / "ansible_collections"
TARGET = COLLECTIONS / "awx"


def fetch() -> None:
    """Make the collection be there, whole, where it is not yet."""
    if TARGET.exists():
        return
    COLLECTIONS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=COLLECTIONS.parent) as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        download = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder, PACKAGE]
        subprocess.run([*pip, *download], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            wanted = [name for name in wheel.namelist() if name.startswith("ansible_collections/awx/")]
            wheel.extractall(folder, wanted)
        if not TARGET.exists():
            (Path(folder) / "ansible_collections" / "awx").rename(TARGET)


if __name__ == "__main__":
    fetch()
