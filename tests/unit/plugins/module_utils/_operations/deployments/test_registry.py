# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What work each deployment still holds, and which URLs name it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments.registry import (
    check_service_url,
)
from ansible_collections.dalp.restate.plugins.module_utils._restate.wire import Deployment, DeploymentDetail
from ansible_collections.dalp.restate.plugins.module_utils._thirdparty import ValidationError
from ansible_collections.dalp.restate.tests.unit.wire_objects import deployment, registry


def test_the_newest_active_deployment_is_the_one_that_was_registered_last_among_the_active() -> None:
    seen = registry(
        deployment("dp_a", "A", day=1),
        deployment("dp_b", "B", day=2),
        deployment("dp_drained", "B", day=3),
        latest={"A": "dp_a", "B": "dp_b"},
    )
    assert seen.newest_active is not None
    assert seen.newest_active.id == "dp_b"
    assert registry(deployment("dp_a"), latest={}).newest_active is None


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00", "1767225600"])
@pytest.mark.parametrize("model", [Deployment, DeploymentDetail])
def test_a_deployment_whose_age_cannot_be_told_is_no_answer(model: Any, text: str) -> None:
    with pytest.raises(ValidationError):
        model(id="dp_1", uri="http://h", created_at=text)


def test_the_newest_is_the_newest_by_instant_and_not_by_text() -> None:
    older = deployment("dp_1", "A").model_copy(update={"created_at": "2026-01-01T00:00:01Z"})
    newer = deployment("dp_2", "B").model_copy(update={"created_at": "2026-01-01T00:00:01.5Z"})
    seen = registry(newer, older, latest={"A": "dp_1", "B": "dp_2"})
    assert seen.newest_active == newer


@pytest.mark.parametrize("url", ["http://h", "https://h:9080/base/", "http://[::1]:9080", "http://u:p@h/"])
def test_the_url_of_a_service_is_taken(url: str) -> None:
    check_service_url(url)


@pytest.mark.parametrize(("url", "code"), [
    pytest.param("arn:aws:lambda:eu-central-1:123456789012:function:f:1", "RESTATE_UNSUPPORTED", id="a Lambda"),
    pytest.param("", "RESTATE_INVALID_ARGUMENT", id="empty"),
    pytest.param("orders:9080", "RESTATE_INVALID_ARGUMENT", id="no scheme"),
    pytest.param("ftp://orders", "RESTATE_INVALID_ARGUMENT", id="another scheme"),
    pytest.param("http://", "RESTATE_INVALID_ARGUMENT", id="no host"),
    pytest.param("http://h:port", "RESTATE_INVALID_ARGUMENT", id="a port that is no number"),
    pytest.param("http://h:0", "RESTATE_INVALID_ARGUMENT", id="port 0"),
    pytest.param("http://h:99999", "RESTATE_INVALID_ARGUMENT", id="a port that is none"),
    pytest.param("http://[::1", "RESTATE_INVALID_ARGUMENT", id="a broken IPv6 address"),
    pytest.param("http://h/?a=b", "RESTATE_INVALID_ARGUMENT", id="a query, which Restate ignores"),
    pytest.param("http://h/#x", "RESTATE_INVALID_ARGUMENT", id="a fragment"),
])  # fmt: skip
def test_what_cannot_be_the_url_of_a_service_is_refused(url: str, code: str) -> None:
    with pytest.raises(OperatorError) as raised:
        check_service_url(url)
    assert raised.value.code == code
