# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prepare $HOME for ansible-test: pip without a download of its own, and the user's settings of pip."""

from __future__ import annotations

import os
import types
from pathlib import Path

from ansible_test._internal.python_requirements import get_venv_packages

# ansible-test runs this file where it lacks pip: "get_pip.py [options] pip==<version> [options]".
# It would download one from a host of its own, which not every network lets through; Python carries a pip.
GET_PIP = """\
import subprocess
import sys

packages = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *packages], check=True)
"""


def main() -> None:
    """Write the two files. ansible-test passes no environment on to pip, hence pip.conf."""
    home = Path.home()
    for python in ("3.11", "3.12", "3.13"):
        pip_version = get_venv_packages(types.SimpleNamespace(version=python))["pip"]
        get_pip = home / ".ansible" / "test" / "cache" / f"get_pip_{pip_version.replace('.', '_')}.py"
        get_pip.parent.mkdir(parents=True, exist_ok=True)
        get_pip.write_text(GET_PIP, encoding="utf-8")

    settings = {"quiet": "1"} | {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in os.environ.items()
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"
    }
    pip_conf = home / ".config" / "pip" / "pip.conf"
    pip_conf.parent.mkdir(parents=True, exist_ok=True)
    lines = ["[global]", *(f"{name} = {value}" for name, value in settings.items()), ""]
    pip_conf.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
