# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator asked, read as a task reads it: only the options that a case is about need be given."""

from __future__ import annotations

from typing import Any

from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.plan import CleanupRequest
from ansible_collections.dalp.restate.plugins.module_utils._operations.operation import Operation
from ansible_collections.dalp.restate.plugins.module_utils._task.options import backend_of, read_request
from ansible_collections.dalp.restate.plugins.modules import restate_cleanup


def request_of(operation: Operation, **options: Any) -> Any:
    """Return the request of an operation; an option that is not given has its default."""
    defaults = {name: option.get("default") for name, option in operation.argument_spec.items()}
    params = {"backend": "restate", **defaults, **options}
    return read_request(operation, backend_of(operation, params), params)


def cleanup_request(**options: Any) -> CleanupRequest:
    """Return what was asked of a cleanup, which keeps http://dp_new:9080 unless said otherwise."""
    request: CleanupRequest = request_of(
        restate_cleanup.OPERATION, **{"service_url": "http://dp_new:9080", **options}
    )
    return request
