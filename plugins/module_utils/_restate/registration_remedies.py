# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What helps where Restate refuses to register a deployment, by its own code."""

from __future__ import annotations

_REMEDIES = {
    "META0004": "Set force to true to overwrite what is registered at this URL, or register the release at a URL of "
    "its own.",
    "META0006": "Set breaking to true where the change of type is meant, or give the service another name.",
    "META0012": "Build the service with an SDK that speaks a protocol version of this server: a newer one where the "
    "SDK's versions are lower than the server's; where they are higher, upgrade the server. force and breaking do not "
    "help.",
    "META0013": "Check that service_url is that of a Restate service, and that its SDK fits this server: a newer SDK "
    "where the service is old, a newer server where the SDK is. force and breaking do not help.",
    "META0014": "Set use_http_11 to true, or serve the service in HTTP/2, also without TLS (h2c). force and breaking "
    "do not help.",
    "META0015": "Have the service announce request-response mode: this way of reaching it knows no streams. force and "
    "breaking do not help.",
    "META0017": "Remove one of the deployments at this URL with the restate CLI, then run the task again.",
}
"""By the codes of crates/errors/src/error_codes of v1.7.6."""


def registration_remedy(restate_code: str | None) -> str:
    """Return what to do, or nothing where the remedy of the error's own code is the best."""
    return _REMEDIES.get(restate_code or "", "")
