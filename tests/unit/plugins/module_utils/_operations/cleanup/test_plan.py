# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which deployments may go, which stay and why, and when the whole plan is refused."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import OperatorError
from ansible_collections.dalp.restate.plugins.module_utils._operations.cleanup.plan import (
    Observed,
    Plan,
    make_plan,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments.pending import (
    Pending,
    count_pending,
)
from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments.registry import Registry
from ansible_collections.dalp.restate.plugins.module_utils._restate.wire import Subscription
from ansible_collections.dalp.restate.tests.unit.operators_requests import cleanup_request
from ansible_collections.dalp.restate.tests.unit.wire_objects import deployment, registry

HOUR = 3600
LAMBDA = "arn:aws:lambda:eu-central-1:123456789012:function:orders:1"

# Each deployment is named by its id; dp_new is registered last and its URL is http://dp_new:9080/.
ONE = registry(deployment("dp_new", "A"), latest={"A": "dp_new"})
RELEASED = registry(
    deployment("dp_new", "A", "B", day=3),
    deployment("dp_old", "A", "B", day=2),
    deployment("dp_older", "A", "B", day=1),
    latest={"A": "dp_new", "B": "dp_new"},
)
TWO_APPLICATIONS = registry(
    deployment("dp_other", "X", day=1),
    deployment("dp_old", "A", day=2),
    deployment("dp_new", "A", day=3),
    latest={"A": "dp_new", "X": "dp_other"},
)
NOT_RELEASED = registry(
    deployment("dp_new", "A", day=1), deployment("dp_old", "A", day=2), latest={"A": "dp_old"}
)
SERVICE_DROPPED = registry(
    deployment("dp_old", "A", "B", day=1),
    deployment("dp_new", "A", day=2),
    latest={"A": "dp_new", "B": "dp_old"},
)
THREE_REVISIONS = registry(
    deployment("dp_1", "B", day=1),
    deployment("dp_2", "B", day=2),
    deployment("dp_new", "A", day=3),
    latest={"A": "dp_new", "B": "dp_2"},
)
WITH_LAMBDA = registry(
    deployment("dp_lambda", "L", day=1, arn=LAMBDA), deployment("dp_new", "A", day=2), latest={"A": "dp_new"}
)


def plan_of(
    seen: Registry,
    ages: dict[str, float] | None = None,
    subscriptions: tuple[Subscription, ...] = (),
    **asked: Any,
) -> Plan:
    hours = {one.id: 24.0 * HOUR for one in seen.deployments}
    pending = Pending(count_pending(seen, []))
    observed = Observed(seen, pending, {**hours, **(ages or {})}, subscriptions=subscriptions)
    return make_plan(observed, cleanup_request(**asked))


def shown(plan: Plan) -> str:
    gone = " ".join(removal.id for removal in plan.removals) or "nothing"
    left = "".join(f", {each.deployment.id} stays: {each.reason}" for each in plan.staying)
    if plan.error:
        ids = " ".join(plan.error.deployment_ids or [])
        return f"{plan.error.code} {plan.error.reason} {ids}"
    return f"remove {gone}{left}"


REFUSED = "RESTATE_SERVICE_REMOVAL_REFUSED"


@pytest.mark.parametrize(("seen", "asked", "expected"), [
    pytest.param(ONE, {}, "remove nothing", id="the only deployment is kept"),
    pytest.param(RELEASED, {}, "remove dp_older dp_old", id="all others go, the oldest first"),
    pytest.param(RELEASED, {"service_url": "https://DP_NEW:9080"}, "remove dp_older dp_old", id="the kept one is told by host, port and path"),
    pytest.param(RELEASED, {"remove": "superseded"}, "remove dp_older dp_old", id="superseded: those that are the latest for nothing"),
    pytest.param(RELEASED, {"keep": ["http://dp_old:9080"]}, "remove dp_older, dp_old stays: keep", id="keep by URL"),
    pytest.param(RELEASED, {"keep": ["dp_old"]}, "remove dp_older, dp_old stays: keep", id="keep by id"),
    pytest.param(RELEASED, {"keep": ["dp_old", "http://dp_old:9080/", "dp_older"]}, "remove nothing, dp_older stays: keep, dp_old stays: keep", id="keep twice is no harm"),
    pytest.param(RELEASED, {"keep": ["dp_new"]}, "remove dp_older dp_old", id="keep may name the kept one"),
    pytest.param(RELEASED, {"max_removed": 2}, "remove dp_older dp_old", id="max_removed itself is allowed"),
    pytest.param(RELEASED, {"max_removed": 1}, f"{REFUSED} max_removed dp_older dp_old", id="more than max_removed is refused whole"),
    pytest.param(RELEASED, {"max_removed": 1, "keep": ["dp_old"]}, "remove dp_older, dp_old stays: keep", id="max_removed counts what would go"),
    pytest.param(RELEASED, {"max_removed": 0}, f"{REFUSED} max_removed dp_older dp_old", id="max_removed 0 removes nothing"),
    pytest.param(TWO_APPLICATIONS, {}, f"{REFUSED} service_removed dp_other", id="another application's service would vanish"),
    pytest.param(TWO_APPLICATIONS, {"allow_service_removal": True}, "remove dp_other dp_old", id="a service may vanish where that is allowed"),
    pytest.param(TWO_APPLICATIONS, {"remove": "superseded"}, "remove dp_old, dp_other stays: latest", id="superseded leaves another application alone"),
    pytest.param(TWO_APPLICATIONS, {"keep": ["dp_other"]}, "remove dp_old, dp_other stays: keep", id="another application is kept on demand"),
    pytest.param(TWO_APPLICATIONS, {"max_removed": 0, "allow_service_removal": True}, f"{REFUSED} max_removed dp_other dp_old", id="allow_service_removal does not lift max_removed"),
    pytest.param(NOT_RELEASED, {}, f"{REFUSED} older_revision_returns dp_old", id="service_url is not the latest: an older revision would return"),
    pytest.param(NOT_RELEASED, {"allow_service_removal": True}, f"{REFUSED} older_revision_returns dp_old", id="nothing permits that an older revision returns"),
    pytest.param(NOT_RELEASED, {"remove": "superseded"}, "remove nothing, dp_old stays: latest", id="superseded never takes the latest away"),
    pytest.param(SERVICE_DROPPED, {}, f"{REFUSED} service_removed dp_old", id="a service that the release dropped would vanish"),
    pytest.param(SERVICE_DROPPED, {"allow_service_removal": True}, "remove dp_old", id="a dropped service may vanish where that is allowed"),
    pytest.param(SERVICE_DROPPED, {"remove": "superseded"}, "remove nothing, dp_old stays: latest", id="superseded keeps what alone serves a dropped service"),
    pytest.param(THREE_REVISIONS, {"allow_service_removal": True}, "remove dp_1 dp_2", id="both revisions go: nothing returns"),
    pytest.param(THREE_REVISIONS, {"keep": ["dp_1"], "allow_service_removal": True}, f"{REFUSED} older_revision_returns dp_2", id="what is kept would become the latest again"),
    pytest.param(THREE_REVISIONS, {"keep": ["dp_2"]}, "remove dp_1, dp_2 stays: keep", id="the latest is kept, the older one goes"),
    pytest.param(WITH_LAMBDA, {"allow_service_removal": True}, "remove nothing, dp_lambda stays: lambda", id="a deployment on Lambda is left"),
    pytest.param(WITH_LAMBDA, {"keep": ["dp_lambda"]}, "remove nothing, dp_lambda stays: keep", id="a deployment on Lambda is kept by id"),
])  # fmt: skip
def test_plan(seen: Registry, asked: dict[str, Any], expected: str) -> None:
    assert shown(plan_of(seen, **asked)) == expected


@pytest.mark.parametrize(("min_age", "expected"), [
    pytest.param(None, "remove dp_older dp_old", id="no min_age"),
    pytest.param("2h", "remove dp_older dp_old", id="exactly as old as min_age goes"),
    pytest.param("121m", "remove dp_older, dp_old stays: min_age", id="younger than min_age stays"),
    pytest.param("5h", "remove nothing, dp_older stays: min_age, dp_old stays: min_age", id="all too young"),
])  # fmt: skip
def test_min_age(min_age: str | None, expected: str) -> None:
    plan = plan_of(RELEASED, {"dp_old": 2.0 * HOUR, "dp_older": 4.0 * HOUR}, min_age=min_age)
    assert shown(plan) == expected


def test_what_min_age_leaves_can_make_an_older_revision_return() -> None:
    # Age need not follow the order of revisions: an overwrite makes a deployment young and the latest.
    plan = plan_of(THREE_REVISIONS, {"dp_1": 60.0}, min_age="1h", allow_service_removal=True)
    assert shown(plan) == f"{REFUSED} older_revision_returns dp_2"


def test_what_a_lambda_serves_can_make_an_older_revision_return() -> None:
    seen = registry(
        deployment("dp_lambda", "B", day=1, arn=LAMBDA),
        deployment("dp_2", "B", day=2),
        deployment("dp_new", "A", day=3),
        latest={"A": "dp_new", "B": "dp_2"},
    )
    plan = plan_of(seen, allow_service_removal=True)
    assert shown(plan) == f"{REFUSED} older_revision_returns dp_2"


def test_a_lambda_that_is_left_is_said() -> None:
    assert ["Lambda" in warning for warning in plan_of(WITH_LAMBDA).warnings] == [True]
    assert not plan_of(RELEASED).warnings


@pytest.mark.parametrize(("asked", "code", "words"), [
    pytest.param({"service_url": "http://dp_typo:9080"}, "RESTATE_DEPLOYMENT_NOT_FOUND", "http://dp_typo:9080", id="service_url is not registered"),
    pytest.param({"service_url": "http://dp_new:9081"}, "RESTATE_DEPLOYMENT_NOT_FOUND", "9081", id="service_url at another port"),
    pytest.param({"service_url": "http://dp_new:9080/v2"}, "RESTATE_DEPLOYMENT_NOT_FOUND", "/v2", id="service_url at another path"),
    pytest.param({"keep": ["http://dp_typo:9080"]}, "RESTATE_DEPLOYMENT_NOT_FOUND", "dp_typo", id="keep names no deployment by URL"),
    pytest.param({"keep": ["dp_typo"]}, "RESTATE_DEPLOYMENT_NOT_FOUND", "dp_typo", id="keep names no deployment by id"),
    pytest.param({"keep": ["dp_old", "dp_typo"]}, "RESTATE_DEPLOYMENT_NOT_FOUND", "dp_typo", id="one typo among others"),
    pytest.param({"keep": [""]}, "RESTATE_DEPLOYMENT_NOT_FOUND", "''", id="an empty entry of keep"),
    pytest.param({"keep": ["http://dp_old:port"]}, "RESTATE_DEPLOYMENT_NOT_FOUND", "cannot be parsed", id="keep names what is no URL"),
    pytest.param({"keep": ["http://u:hunter22@dp_typo:1"]}, "RESTATE_DEPLOYMENT_NOT_FOUND", "'http://dp_typo:1'", id="keep's userinfo is not shown"),
    pytest.param({"min_age": "soon"}, "RESTATE_INVALID_ARGUMENT", "min_age", id="min_age is no duration"),
])  # fmt: skip
def test_what_cannot_be_meant_touches_nothing(asked: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(OperatorError) as raised:
        plan_of(RELEASED, **asked)
    assert raised.value.code == code
    assert words in raised.value.message


SAME_URL = [
    deployment("dp_a", "A", "B", url="http://same:9080/"),
    deployment("dp_b", "A", day=2, url="http://same:9080/"),
]
BOTH_LATEST = registry(*SAME_URL, latest={"A": "dp_b", "B": "dp_a"})
NONE_LATEST = registry(*SAME_URL, deployment("dp_c", "A", "B", day=3), latest={"A": "dp_c", "B": "dp_c"})


@pytest.mark.parametrize("seen", [BOTH_LATEST, NONE_LATEST])
def test_a_url_that_may_mean_two_deployments_is_refused_with_the_true_reason(seen: Registry) -> None:
    with pytest.raises(OperatorError) as raised:
        plan_of(seen, service_url="http://same:9080", remove="superseded")
    assert raised.value.code == "RESTATE_INVALID_ARGUMENT"
    assert raised.value.reason == "ambiguous_service_url"
    assert raised.value.deployment_ids == ["dp_a", "dp_b"]
    assert "routing headers" in raised.value.remedy
    assert "superfluous" not in raised.value.remedy


def test_the_remedy_for_a_url_that_may_mean_two_deployments_works() -> None:
    plan = plan_of(BOTH_LATEST, service_url="http://same:9080", keep=["dp_a"], remove="superseded")
    assert plan.kept.id == "dp_b"
    assert shown(plan) == "remove nothing, dp_a stays: keep"


def test_a_url_of_two_deployments_means_the_one_that_is_the_latest() -> None:
    seen = registry(*SAME_URL, latest={"A": "dp_b", "B": "dp_b"})
    plan = plan_of(seen, service_url="http://same:9080", remove="superseded")
    assert plan.kept.id == "dp_b"
    assert shown(plan) == "remove dp_a"


SUBSCRIPTION = Subscription(id="sub_1", source="kafka://orders/topic", sink="service://B/handle")


@pytest.mark.parametrize("allowed", [True, False])
def test_a_service_that_a_subscription_feeds_is_not_removed_whatever_is_allowed(allowed: bool) -> None:
    plan = plan_of(SERVICE_DROPPED, subscriptions=(SUBSCRIPTION,), allow_service_removal=allowed)
    assert shown(plan) == f"{REFUSED} subscription dp_old"
    assert plan.error is not None
    assert "sub_1 (kafka://orders/topic to service://B/handle)" in plan.error.message
    assert "restate subscriptions delete sub_1" in plan.error.remedy
    assert ("allow_service_removal" in plan.error.remedy) is not allowed


def test_a_subscription_of_a_service_that_stays_forbids_nothing() -> None:
    other = Subscription(id="sub_1", source="kafka://orders/topic", sink="service://A/run")
    plan = plan_of(SERVICE_DROPPED, subscriptions=(other,), allow_service_removal=True)
    assert shown(plan) == "remove dp_old"


def test_a_lambda_that_is_listed_by_its_arn_stays() -> None:
    assert shown(plan_of(WITH_LAMBDA, keep=[LAMBDA])) == "remove nothing, dp_lambda stays: keep"


def test_a_refusal_names_services_and_deployments_and_says_what_to_do() -> None:
    error = plan_of(TWO_APPLICATIONS).error
    assert error is not None
    assert "dp_other" in error.message
    assert "X" in error.message
    assert "allow_service_removal" in error.remedy
    error = plan_of(NOT_RELEASED).error
    assert error is not None
    assert "restate_redeploy" in error.remedy
