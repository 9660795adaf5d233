# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What YAML takes for something else than the text that it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dalp.restate.plugins.plugin_utils.written import as_written, texts_in

TEXTS = [
    "0123",
    "12:34",
    "2026-11-28",
    "2026-11-28T03:00:00Z",
    "1_000",
    "0x1F",
    "1001",
    "+7",
    "1.50",
    "yes",
    "off",
]


@pytest.mark.parametrize("written", ["{}: {}", "{}: !unsafe '{}'", "!unsafe '{}': !unsafe '{}'"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_key_stays_what_was_written(text: str, written: str, tmp_path: Path) -> None:
    file = tmp_path / "extravars"
    file.write_text(written.format("restate_service_key", text))
    value = yaml.safe_load(text)
    assert not isinstance(value, str)
    assert as_written("restate_service_key", value, ["a=b", f"@{file}"]) == text


def test_keys_of_a_list_stay_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "extravars"
    file.write_text(
        "restate_workflows: [{service_name: W, service_key: 0123}, {service_name: W, service_key: '12'}]"
    )
    read = [{"service_name": "W", "service_key": 83}, {"service_name": "W", "service_key": "12"}]
    assert as_written("restate_workflows", read, [f"@{file}"]) == [
        {"service_name": "W", "service_key": "0123"},
        {"service_name": "W", "service_key": "12"},
    ]
    assert as_written("restate_workflows", read[:1], [f"@{file}"]) == read[:1]


def test_text_that_ansible_has_tagged_is_read() -> None:
    class Tagged(str):
        __slots__ = ()

    assert texts_in(Tagged("[{service_key: 0123}]")) == [{"service_key": "0123"}]


@pytest.mark.parametrize("written", ["{{ mine }}", "'{{ mine }}'", "[", "a: b: c"])
def test_what_a_template_gives_stays(written: str, tmp_path: Path) -> None:
    file = tmp_path / "extravars"
    file.write_text(f"restate_force_drain: !unsafe {written!r}")
    assert as_written("restate_force_drain", True, [f"@{file}"]) is True


@pytest.mark.parametrize("value", ["0123", "", None, ["0123"], {"a": 1}])
def test_what_is_no_other_scalar_stays(value: Any, tmp_path: Path) -> None:
    file = tmp_path / "extravars"
    file.write_text("restate_service_key: 0456")
    assert as_written("restate_service_key", value, [f"@{file}"]) == value


def test_a_value_that_comes_from_elsewhere_stays(tmp_path: Path) -> None:
    file, encrypted = tmp_path / "extravars", tmp_path / "vault"
    file.write_text("restate_service_key: 0123\nother: 1")
    encrypted.write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    assert as_written("restate_service_key", 1001, [f"@{file}"]) == 1001
    for given in (f"@{encrypted}", f"@{tmp_path / 'gone'}", '{"restate_service_key": 83}'):
        assert as_written("restate_service_key", 83, [given]) == 83
    assert as_written("restate_service_key", 83, [f"@{file}", f"@{encrypted}"]) == "0123"
