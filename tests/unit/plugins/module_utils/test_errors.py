# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An error as an exception: how it prints, and that it survives the way to another process."""

from __future__ import annotations

import pickle

import pytest
from ansible_collections.dalp.restate.plugins.module_utils._errors import ERROR_CODES, OperatorError


def test_it_prints_as_its_message() -> None:
    error = OperatorError("RESTATE_QUERY_FAILED", "No leader.", http={"url": "http://h"})
    assert str(error) == "No leader."
    with pytest.raises(OperatorError, match=r"^No leader\.$"):
        raise error


def test_it_can_be_pickled_whole() -> None:
    error = OperatorError("RESTATE_QUERY_FAILED", "m", reason="r", remedy="Wait.", outcome_unknown=True)
    copy = pickle.loads(pickle.dumps(error))
    assert copy.to_result() == error.to_result()
    assert copy.outcome_unknown


def test_two_errors_are_never_the_same_one() -> None:
    assert OperatorError("RESTATE_QUERY_FAILED", "m") != OperatorError("RESTATE_QUERY_FAILED", "m")


def test_without_a_better_remedy_the_codes_own_is_taken() -> None:
    error = OperatorError("RESTATE_QUERY_FAILED", "m")
    assert error.remedy == ERROR_CODES["RESTATE_QUERY_FAILED"].remedy
