# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of restate_redeploy know of a registered deployment."""

from __future__ import annotations

from tests.integration.server import Server

NEW = ("deployment_id",)
"""What a dry run cannot know of a deployment that is not registered yet."""

SECRET = "Bearer a-token-for-the-service"
SERVICES = {"Counter", "Ledger", "OrderWorkflow", "PaymentWorkflow"}


def latest_of(server: Server, service: str = "OrderWorkflow") -> str:
    return str(server.service(service)["deployment_id"])
