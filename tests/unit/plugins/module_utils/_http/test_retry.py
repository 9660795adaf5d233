# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a request is repeated, and after how long: one row is one situation."""

from __future__ import annotations

import math

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._http.connection import Connection
from ansible_collections.dalp.restate.plugins.module_utils._http.retry import Event, Outcome, Retry
from ansible_collections.dalp.restate.tests.unit.fake_clock import FakeClock

# Three retries, and nothing is left to chance.
RETRY = Retry(retries=3, request_timeout=10.0, jitter=lambda: 1.0)


@pytest.mark.parametrize(("event", "repeatable", "not_repeatable"), [
    (Event.ANSWERED, None, None),
    (Event.NOT_CONNECTED, 0.2, 0.2),
    (Event.CONNECT_TIMED_OUT, None, None),
    (Event.RATE_LIMITED, 0.2, 0.2),
    (Event.TRANSIENT, 0.2, None),
    (Event.LOST, 0.2, None),
    (Event.TIMED_OUT, None, None),
    (Event.OTHERS_TIMED_OUT, None, None),
    (Event.BROKEN, None, None),
])  # fmt: skip
def test_what_was_not_carried_out_is_repeated_and_what_may_have_been_only_where_that_does_no_harm(
    event: Event, repeatable: float | None, not_repeatable: float | None
) -> None:
    assert RETRY.decide(Outcome(event, repeatable=True), 1) == repeatable
    assert RETRY.decide(Outcome(event, repeatable=False), 1) == not_repeatable


@pytest.mark.parametrize(("attempt", "delay"), [(1, 0.2), (2, 0.4), (3, 0.8), (4, None), (5, None)])
def test_the_delay_doubles_until_the_retries_are_used_up(attempt: int, delay: float | None) -> None:
    assert RETRY.delay_after(attempt) == delay
    assert RETRY.decide(Outcome(Event.NOT_CONNECTED), attempt) == delay


def test_without_retries_nothing_is_repeated() -> None:
    retry = Retry(retries=0, request_timeout=10.0)
    assert [retry.decide(Outcome(event), 1) for event in Event] == [None] * len(Event)


@pytest.mark.parametrize(("retry_after", "delay"), [
    pytest.param(0.0, 0.4, id="not said"),
    pytest.param(-5.0, 0.4, id="in the past"),
    pytest.param(0.3, 0.4, id="sooner than the usual delay"),
    pytest.param(2.0, 2.0, id="later than the usual delay"),
    pytest.param(10.0, 10.0, id="as long as a request may take"),
    pytest.param(10.1, None, id="longer than a request may take"),
    pytest.param(math.inf, None, id="for ever"),
    pytest.param(math.nan, None, id="no number"),
])  # fmt: skip
@pytest.mark.parametrize("event", [Event.RATE_LIMITED, Event.TRANSIENT])
def test_the_server_is_given_the_time_that_it_asks_for_up_to_request_timeout(
    event: Event, retry_after: float, delay: float | None
) -> None:
    assert RETRY.decide(Outcome(event, retry_after=retry_after), 2) == delay


@pytest.mark.parametrize("retries", [1, 3, 50])
def test_what_may_pass_is_waited_for_as_long_whatever_the_retries(retries: int) -> None:
    clock = FakeClock()
    retry = Retry(retries, 10.0, jitter=lambda: 1.0, patience=clock.patience)
    for attempt in range(1, 9):
        clock.sleep(retry.decide(Outcome(Event.TRANSIENT), attempt) or 0.0)
    assert sum(clock.sleeps) == pytest.approx(15.0)
    assert retry.decide(Outcome(Event.TRANSIENT), 9) is None
    assert retry.decide(Outcome(Event.NOT_CONNECTED), 1) == 0.2
    assert retry.patient_delay_after(1) is None


def test_a_server_that_asks_for_more_than_is_left_is_asked_once_more_at_the_end() -> None:
    clock = FakeClock()
    retry = Retry(3, 10.0, jitter=lambda: 1.0, patience=clock.patience)
    clock.sleep(retry.decide(Outcome(Event.TRANSIENT, retry_after=10.0), 1) or 0.0)
    clock.sleep(retry.decide(Outcome(Event.TRANSIENT, retry_after=10.0), 2) or 0.0)
    assert clock.sleeps == [10.0, 5.0]
    assert retry.decide(Outcome(Event.TRANSIENT, retry_after=10.0), 3) is None


def test_an_answer_that_is_final_is_final_whatever_retry_after_says() -> None:
    assert RETRY.decide(Outcome(Event.ANSWERED, retry_after=1.0), 1) is None


def test_a_connection_retries_as_its_options_say_and_spreads_the_delays() -> None:
    retry = Connection(url="http://h", retries=2, request_timeout=5.0).retry
    delays = [retry.delay_after(1) for _ in range(20)]
    assert all(delay is not None and 0.15 <= delay <= 0.25 for delay in delays)
    assert len(set(delays)) > 1
    assert retry.delay_after(3) is None
    assert retry.decide(Outcome(Event.RATE_LIMITED, retry_after=5.0), 1) == 5.0
    assert retry.decide(Outcome(Event.RATE_LIMITED, retry_after=6.0), 1) is None
