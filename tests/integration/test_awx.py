# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role awx, applied by the real collection awx.awx to a stand-in of AWX's API that refuses what AWX refuses."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.awx import site
from tests.integration.awx.server import Awx, stand_in
from tests.integration.awx.site import (
    PLAYBOOKS,
    PROJECTS,
    REPOSITORY,
    ROOT,
    data_with,
    install_awx_collection,
)
from tests.integration.guides import snippets

GUIDE = next(one.text for one in snippets(ROOT / "docs" / "awx.md") if one.language == "yaml")
SITE = {
    "awx_organization": "Default",
    "awx_project": {"scm_type": "git", "scm_url": REPOSITORY},
    "awx_environments": [
        {"name": "staging", "admin_url": "http://restate:9070", "auth_token": "a-token-of-restate"}
    ],
}


@pytest.fixture(scope="session", autouse=True)
def awx_collection() -> None:
    """The collection awx.awx."""
    install_awx_collection()


@pytest.fixture
def awx() -> Iterator[Awx]:
    """An AWX with an organization, and somebody's own objects in it."""
    with stand_in(PROJECTS) as started:
        yield started


def apply(awx: Awx, tmp_path: Path, *options: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Apply what this site has, with further variables."""
    return site.apply(awx, tmp_path, *options, **{**SITE, **variables})


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The data files of the outage's workflow alone, for tests to which the number of templates is nothing."""
    folder = tmp_path_factory.mktemp("data")
    return data_with(folder, "doctor", "recover_failed", workflow="outage with approval")


def somebody_elses(awx: Awx) -> dict[str, Any]:
    """Make objects that are not ours, and return all that AWX holds."""
    store = awx.store
    [organization] = store.objects["organizations"]
    for name in ("restate-operators", "developers", "release-managers", "release-approvers"):
        store.create("teams", {"name": name, "organization": organization})
    store.create("inventories", {"name": "Restate machines", "organization": organization})
    project = {"name": "Restate docs", "scm_type": "git", "scm_url": REPOSITORY}
    number = store.create("projects", {**project, "organization": organization})
    inventory = next(iter(store.objects["inventories"]))
    template = {
        "name": "Restate: backup",
        "project": number,
        "inventory": inventory,
        "playbook": PLAYBOOKS[0],
    }
    store.create("job_templates", {**template, "organization": organization})
    pager = {"name": "on-call", "notification_type": "webhook", "organization": organization}
    store.create("notification_templates", pager)
    return copy.deepcopy(store.objects)


def test_applied_twice_it_changes_nothing_the_second_time(awx: Awx, tmp_path: Path) -> None:
    somebody_elses(awx)
    given = {
        **yaml.safe_load(GUIDE),
        "vault_restate_token": "a-token-of-restate",
        "awx_doctor_schedule": True,
    }
    first = apply(awx, tmp_path, "-vvv", **given)
    assert first.returncode == 0, first.stdout + first.stderr + "\n".join(awx.refused)
    assert "a-token-of-restate" not in first.stdout + first.stderr
    assert "WARNING" not in first.stderr
    awx.writes.clear()
    second = apply(awx, tmp_path, **given)
    assert second.returncode == 0, second.stdout
    assert awx.writes == []
    assert "changed=0 " in second.stdout
    assert awx.tokens == set()
    release = awx.named("job_templates", "Restate: release")
    assert (release["limit"], release["job_type"], release["ask_variables_on_launch"]) == (
        "production",
        "run",
        False,
    )
    assert awx.named("job_templates", "Restate: release (dry run)")["job_type"] == "check"
    assert "restate_service_url" in {each["variable"] for each in awx.survey_of("Restate: release")["spec"]}
    assert {"Restate: release with approval", "Restate: outage with approval"} == set(
        awx.names("workflow_job_templates")
    )
    [host] = awx.store.objects["hosts"].values()
    assert json.loads(host["variables"])["ansible_python_interpreter"] == "{{ ansible_playbook_python }}"
    assert not [name for name in ("token", "http") if name in host["variables"]]
    assert awx.granted("Restate: release") == {"execute": {"restate-operators"}}
    assert awx.granted("Restate: release (dry run)") == {
        "execute": {"restate-operators", "developers", "release-managers"},
        "read": {"release-approvers"},
    }
    assert awx.granted("Restate: release with approval", "workflow_job_templates") == {
        "execute": {"restate-operators", "release-managers"},
        "approval": {"release-approvers"},
    }


def test_a_dry_run_on_an_empty_controller_says_what_would_be_made(
    awx: Awx, tmp_path: Path, few: dict[str, str]
) -> None:
    ran = apply(awx, tmp_path, "--check", **few)
    assert ran.returncode == 0, ran.stdout
    assert awx.writes == []
    for name in ("Restate: recover_failed", "Restate: outage with approval", "Restate", "staging"):
        assert f"changed: [localhost] => (item={name})" in ran.stdout
    assert "would be made with Restate: doctor" in " ".join(ran.stdout.split())


def test_what_changes_is_changed_and_what_is_removed_is_ours(
    awx: Awx, tmp_path: Path, few: dict[str, str]
) -> None:
    before = somebody_elses(awx)
    assert apply(awx, tmp_path, **few).returncode == 0, awx.refused
    data = Path(few["awx_data_dir"])
    survey = (data / "surveys.yml").read_text()
    (data / "surveys.yml").write_text(survey.replace("default: 100", "default: 50"))
    awx.writes.clear()
    planned = apply(awx, tmp_path, "--check", **few)
    assert awx.writes == []
    assert "changed: [localhost] => (item=Restate: recover_failed)" in planned.stdout
    assert "ok: [localhost] => (item=Restate: doctor)" in planned.stdout
    changed = apply(awx, tmp_path, **few)
    assert changed.returncode == 0, awx.refused
    # The template, its dry run and the workflow have it.
    assert [each.split()[1].split("/")[-2] for each in awx.writes] == ["survey_spec"] * 3
    (data / "surveys.yml").write_text(survey)

    removed = apply(awx, tmp_path, **few, awx_state="absent")
    assert removed.returncode == 0, removed.stdout + str(awx.refused)
    assert awx.store.objects == before
    awx.writes.clear()
    again = apply(awx, tmp_path, **few, awx_state="absent")
    assert again.returncode == 0, again.stdout
    assert (awx.writes, "changed=0 " in again.stdout) == ([], True)


def test_a_secret_is_sent_again_when_it_is_asked_for_only(
    awx: Awx, tmp_path: Path, few: dict[str, str]
) -> None:
    assert apply(awx, tmp_path, **few).returncode == 0, awx.refused
    environments = [{**SITE["awx_environments"][0], "auth_token": "another-token"}]  # type: ignore[index]
    awx.writes.clear()
    apply(awx, tmp_path, **few, awx_environments=environments)
    assert awx.writes == []
    apply(awx, tmp_path, **few, awx_environments=environments, awx_update_secrets=True)
    assert len(awx.writes) == 1
    [credential] = awx.store.objects["credentials"].values()
    assert credential["inputs"]["auth_token"] == "another-token"


def test_an_environment_has_templates_of_its_own_where_there_are_several(
    awx: Awx, tmp_path: Path, few: dict[str, str]
) -> None:
    environments = [
        {"name": "staging", "admin_url": "http://restate:9070"},
        {"name": "production", "dalp_url": "https://dalp.example.com", "dalp_api_key": "a-key-of-dalp"},
    ]
    ran = apply(
        awx, tmp_path, **few, awx_environments=environments, awx_extra_variables={"restate_retries": 5}
    )
    assert ran.returncode == 0, ran.stdout + str(awx.refused)
    staging = awx.named("job_templates", "Restate staging: doctor")
    production = awx.named("job_templates", "Restate production: doctor")
    assert (staging["limit"], production["limit"]) == ("staging", "production")
    assert json.loads(staging["extra_vars"]) == {"restate_retries": 5}
    assert json.loads(production["extra_vars"]) == {"restate_backend": "dalp", "restate_retries": 5}
    assert sorted(awx.names("credentials")) == ["Restate production: DALP", "Restate staging"]
    environments[0]["state"] = "absent"
    assert apply(awx, tmp_path, **few, awx_environments=environments).returncode == 0
    assert awx.names("hosts") == ["production"]
    assert not [name for name in awx.names("job_templates") if name.startswith("Restate staging")]


def test_an_organization_that_does_not_exist_is_named_and_nothing_made(
    awx: Awx, tmp_path: Path, few: dict[str, str]
) -> None:
    ran = apply(awx, tmp_path, **few, awx_organization="Nobody")
    assert ran.returncode != 0
    assert "There is no organization Nobody" in ran.stdout
    assert awx.writes == []


def test_without_the_collection_it_says_what_to_install(
    awx: Awx, tmp_path: Path, few: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "collections" / "ansible_collections" / "dalp"
    ours.mkdir(parents=True)
    (ours / "restate").symlink_to(ROOT)
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(tmp_path / "collections"))
    ran = apply(awx, tmp_path, **few)
    assert ran.returncode != 0
    assert "ansible-galaxy collection install 'awx.awx" in ran.stdout
    assert awx.writes == []
