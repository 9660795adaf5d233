# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes the collection awx.awx out of the package ansible, into .build/awx: AWX itself is in no registry of packages.

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

TARGET = Path(__file__).resolve().parents[1] / ".build" / "awx"
MANIFEST = TARGET / "ansible_collections" / "awx" / "awx" / "MANIFEST.json"


def fetch() -> None:
    """Make the collection be there, whole, where it is not yet."""
    if MANIFEST.exists():
        return
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TARGET.parent) as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        download = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder, PACKAGE]
        subprocess.run([*pip, *download], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            wanted = [name for name in wheel.namelist() if name.startswith("ansible_collections/awx/")]
            wheel.extractall(Path(folder) / "awx", wanted)
        if not MANIFEST.exists():
            (Path(folder) / "awx").rename(TARGET)


if __name__ == "__main__":
    fetch()
