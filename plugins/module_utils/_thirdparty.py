# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only door to the libraries that are not part of Ansible.

The modules must describe themselves (documentation, argument specs) where httpx and pydantic are absent, so the
imports are guarded here and nowhere else; L(require) turns an absence into a message before anything is used.
"""

from __future__ import annotations

import traceback
import typing as t

MISSING: tuple[str, str] | None = None
"""The first library that could not be imported and the traceback, or None."""

if t.TYPE_CHECKING:
    import httpx
    from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
else:
    try:
        import httpx
        from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
    except ImportError as exc:
        MISSING = (exc.name or "httpx", traceback.format_exc())
        httpx = None
        SecretStr = str
        TypeAdapter = None
        ValidationError = ValueError
        ConfigDict = dict

        class BaseModel:
            """Lets model classes be defined, and nothing more."""

        Field = dict


__all__ = [
    "MISSING",
    "BaseModel",
    "ConfigDict",
    "Field",
    "SecretStr",
    "TypeAdapter",
    "ValidationError",
    "httpx",
]
