# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The libraries of others, imported here and nowhere else.

The modules must describe themselves (documentation, argument specs) where httpx and pydantic are absent or too old, so
the imports are guarded. The door of a task looks at INSTALLED before anything is used.
"""

from __future__ import annotations

import sys
import typing as t

INSTALLED: dict[str, str | None] = {"httpx": None, "pydantic": None}
"""The release of each library, or None where it cannot be imported."""

if t.TYPE_CHECKING:
    import httpx
    from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
else:
    # Where click and rich are installed, httpx imports a command line that takes longer than all the rest of it. What
    # is None here cannot be imported, and httpx goes without. It is so for no longer than that: in Ansible's process,
    # other plugins may import it.
    _command_line = "httpx._main"
    _is_mine = _command_line not in sys.modules
    if _is_mine:
        sys.modules[_command_line] = None
    try:
        # httpx imports it with its first client, which each task in process would do anew.
        import httpcore  # noqa: F401
        import httpx

        INSTALLED["httpx"] = httpx.__version__
    except ImportError:
        httpx = None
    finally:
        if _is_mine:
            del sys.modules[_command_line]
    try:
        import pydantic

        INSTALLED["pydantic"] = pydantic.VERSION
        # Of these, pydantic 1 has not all.
        from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
    except ImportError:
        SecretStr = str
        ValidationError = ValueError
        ConfigDict = dict

        class BaseModel:
            """Lets model classes be defined, and nothing more."""

        Field = dict


__all__ = [
    "INSTALLED",
    "BaseModel",
    "ConfigDict",
    "Field",
    "SecretStr",
    "ValidationError",
    "httpx",
]
