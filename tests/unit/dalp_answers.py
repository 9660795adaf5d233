# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What DALP's routes answer."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.dalp.restate.tests.unit.loopback import answer

HEALTH: dict[str, Any] = {
    "ingress": {"status": "ok", "latencyMs": 12},
    "admin": {"status": "ok", "latencyMs": 9, "version": "1.4.0"},
    "deployments": {
        "status": "ok",
        "items": [
            {"id": "dp_01j", "serviceUrl": "http://ddwf:9080", "createdAt": "2026-05-09T10:00:00.000Z"}
        ],
        "error": None,
    },
    "services": {
        "status": "ok",
        "items": [{"name": "IdentityRecoveryWorkflow", "revision": 3}],
        "error": None,
    },
    "invocations": {
        "status": "ok",
        "byStatus": {"invoked": 2, "suspended": 1},
        "recentFailures": [],
        "error": None,
    },
}
"""The example of DALP's documentation."""

OLD = {"id": "dp_old", "serviceUrl": "http://v1:9080/", "createdAt": "2026-05-09T10:00:00.000Z"}
NEW = {"id": "dp_new", "serviceUrl": "http://v2:9080/", "createdAt": "2026-06-09T10:00:00.000Z"}
DOWN = {"status": "unreachable", "error": "connect refused"}
DENIED = answer(403, {"code": "OFFCHAIN_USER_PERMISSION_REQUIRED", "status": 403, "message": "Not you."})
UNREACHABLE = answer(503, {"code": "RESTATE_ADMIN_UNREACHABLE", "status": 503, "message": "No Restate."})
NOT_THERE = answer(404, {"code": "RESTATE_DEPLOYMENT_NOT_FOUND", "status": 404, "message": "Not there."})


def health(*deployments: dict[str, Any], **components: Any) -> dict[str, Any]:
    """Make an answer of the doctor: that of the documentation with these deployments and components."""
    told = copy.deepcopy(HEALTH)
    told["deployments"]["items"] = list(deployments)
    told["invocations"]["byStatus"] = {"completed": 3}
    return {**told, **components}


def raised(told: dict[str, Any]) -> dict[str, Any]:
    """Raise the revision of the service in an answer of the doctor."""
    services = {"status": "ok", "items": [{"name": "IdentityRecoveryWorkflow", "revision": 4}], "error": None}
    return {**told, "services": services}
