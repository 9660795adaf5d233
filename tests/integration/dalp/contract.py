# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OpenAPI document of the operator routes, as the judge of what a server is asked and what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from openapi_core import OpenAPI
from openapi_core.contrib.starlette import StarletteOpenAPIRequest, StarletteOpenAPIResponse
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.exceptions import PathError
from starlette.requests import Request
from starlette.responses import Response

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "dalp-operator-api.openapi.yaml"


class NoRouteError(Exception):
    """The document has no such route."""


class ViolationError(Exception):
    """Something is not as the document says; the message says what."""


class Contract:
    """The document, of a server at this URL."""

    def __init__(self, url: str) -> None:
        document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
        document["servers"] = [{"url": one} for one in _servers(document["servers"][0], url)]
        self._openapi = OpenAPI.from_dict(document)

    def check_request(self, request: Request, content: bytes) -> Any:
        """Give the body, with the defaults. Raises NoRouteError or ViolationError unless it is as described."""
        try:
            result = self._openapi.unmarshal_request(StarletteOpenAPIRequest(request, content))
            result.raise_for_errors()
            return result.body
        except PathError as error:
            raise NoRouteError(str(error)) from error
        except OpenAPIError as error:
            raise ViolationError(_words(error)) from error

    def check_answer(self, request: Request, content: bytes, answer: Response) -> None:
        """Raise ViolationError unless it is an answer that the route of the request may give."""
        try:
            self._openapi.validate_response(
                StarletteOpenAPIRequest(request, content), StarletteOpenAPIResponse(answer)
            )
        except OpenAPIError as error:
            raise ViolationError(_words(error)) from error


def _servers(template: dict[str, Any], url: str) -> list[str]:
    """The URLs that the template of the document stands for: openapi-core does not look at a variable's enum."""
    whole = template["url"].replace("{dalpApiUrl}", url)
    return [whole.replace("{segment}", segment) for segment in template["variables"]["segment"]["enum"]]


def _words(error: BaseException) -> str:
    """The messages of the cause, which alone names the field, if there is one."""
    causes = getattr(error.__cause__, "schema_errors", ())
    return "; ".join(f"{one.json_path}: {one.message}" for one in causes) or str(error)
