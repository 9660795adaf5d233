# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operation needs of the machine that it runs on. Runs on any Python that Ansible supports."""

from __future__ import annotations

import sys
import typing as t

PYTHON = (3, 11)
LIBRARIES = {"httpx": ((0, 27), (1,)), "pydantic": ((2, 7), (3,))}
"""By library, the oldest release that is supported and the first that is not."""


class Unmet(t.NamedTuple):
    """What is missing on this machine, and what to do."""

    message: str
    remedy: str


def unmet_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Unmet | None:
    """Return what is wrong with this Python, or None."""
    if version[:2] >= PYTHON:
        return None
    return Unmet(
        f"dalp.restate needs Python {_text(PYTHON)} or later on the host that runs its modules; {sys.executable} is "
        f"Python {_text(version)}. Nothing was touched.",
        "Set ansible_python_interpreter to a newer Python that has httpx and pydantic.",
    )


def unmet_library(installed: t.Mapping[str, str | None]) -> Unmet | None:
    """Return what is wrong with the first library that cannot be used, or None; O(installed) are releases by name."""
    for name, (oldest, unsupported) in LIBRARIES.items():
        release = installed[name]
        if release is not None and oldest <= _numbers(release) < unsupported:
            continue
        wanted = f"{name}>={_text(oldest)},<{_text(unsupported)}"
        found = f"has {name} {release}" if release else f"has no {name} that can be imported"
        return Unmet(
            f"dalp.restate needs {wanted} on the host that runs its modules; {sys.executable} {found}. Nothing was "
            "touched.",
            f"Install it for that Python: {sys.executable} -m pip install '{wanted}'",
        )
    return None


def _text(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)


def _numbers(release: str) -> tuple[int, ...]:
    """Return major and minor of a release; a pre-release counts as its release."""
    return tuple(int(part) for part in release.split(".")[:2] if part.isdigit())
