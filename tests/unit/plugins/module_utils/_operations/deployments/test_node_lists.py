# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of several lists of deployments is that of most nodes."""

# ruff: noqa: E501 (a case is a line)

from __future__ import annotations

import datetime

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._operations.deployments.node_lists import compare

A, B, C = ((f"dp_{day}", datetime.datetime(2026, 1, day, tzinfo=datetime.UTC)) for day in (1, 2, 3))
A_AGAIN = ("dp_1", datetime.datetime(2026, 1, 9, tzinfo=datetime.UTC))

Lists = dict[str, set[tuple[str, datetime.datetime]]]


@pytest.mark.parametrize("lists", [
    pytest.param({}, id="no node answers"),
    pytest.param({"n1": {A}}, id="one node answers"),
    pytest.param({"n1": {A, B}, "n2": {B, A}, "n3": {A, B}}, id="all agree"),
    pytest.param({"n1": set(), "n2": set()}, id="nothing is registered"),
])  # fmt: skip
def test_lists_that_agree_are_not_told(lists: Lists) -> None:
    assert compare({url: frozenset(each) for url, each in lists.items()}) is None


@pytest.mark.parametrize(("lists", "most", "differences"), [
    pytest.param({"n1": {A}, "n2": {A, B}, "n3": {A, B}}, "n2", {"n1": ["dp_2"]}, id="one lacks a registration"),
    pytest.param({"n1": {A, B}, "n2": {B}, "n3": {B}}, "n2", {"n1": ["dp_1"]}, id="one lacks a removal"),
    pytest.param({"n1": {A}, "n2": {A_AGAIN}, "n3": {A_AGAIN}}, "n2", {"n1": ["dp_1"]}, id="one lacks an overwrite"),
    pytest.param({"n1": {A}, "n2": {A, B}}, "n2", {"n1": ["dp_2"]}, id="of two the one with the newest counts"),
    pytest.param({"n1": {A, B}, "n2": set()}, "n1", {"n2": ["dp_1", "dp_2"]}, id="an empty list is a list"),
    pytest.param({"n1": {A}, "n2": {B}, "n3": {C}}, "n3", {"n1": ["dp_1", "dp_3"], "n2": ["dp_2", "dp_3"]}, id="all differ"),
])  # fmt: skip
def test_nodes_that_differ_from_most_are_told(
    lists: Lists, most: str, differences: dict[str, list[str]]
) -> None:
    found = compare({url: frozenset(each) for url, each in lists.items()})
    assert found is not None
    assert (found.most, found.differences) == (most, differences)
