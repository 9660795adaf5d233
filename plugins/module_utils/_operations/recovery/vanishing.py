# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a folder is gone when the job has ended: AWX runs each job in a container, or in a folder, of its own."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

RUNNER_FOLDER = Path("/runner")
"""Where ansible-runner has the job's own files in an execution environment."""

_JOB_FOLDER = "AWX_PRIVATE_DATA_DIR"


def is_execution_environment(runner_folder: Path = RUNNER_FOLDER) -> bool:
    """Return whether this runs in the container of a job."""
    return (runner_folder / "project").is_dir()


def vanishes(
    folder: Path, environment: t.Mapping[str, str] = os.environ, runner_folder: Path = RUNNER_FOLDER
) -> bool:
    """Return whether O(folder) vanishes with the job that runs here; outside a job nothing does.

    AWX names the job's folder in AWX_PRIVATE_DATA_DIR. In an execution environment, what no volume was mounted for lies
    in the container's own layer, on the device that its root is on.
    """
    is_container = is_execution_environment(runner_folder)
    own = [runner_folder] if is_container else []
    if environment.get(_JOB_FOLDER):
        own.append(Path(environment[_JOB_FOLDER]))
    real = folder.resolve()
    if any(real.is_relative_to(each.resolve()) for each in own):
        return True
    return is_container and _device(real) == _device(Path("/"))


def _device(folder: Path) -> int:
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    return nearest.stat().st_dev
