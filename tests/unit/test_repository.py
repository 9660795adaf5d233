# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands around the code names what is there: targets, versions, requirements, files."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import restate_server
import yaml
from ansible_collections.dalp.restate.plugins.module_utils._restate.versions import RELEASES

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def content_of(*names: str) -> Any:
    return yaml.safe_load(ROOT.joinpath(*names).read_text(encoding="utf-8"))


def steps_of(workflow: Path) -> list[str]:
    """Return the commands of a workflow."""
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    return [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]


# The same commands everywhere


def test_the_workflow_of_tests_runs_targets_of_the_makefile_and_nothing_else() -> None:
    matrix = content_of(".github", "workflows", "test.yml")["jobs"]["matrix"]["strategy"]["matrix"]
    called = {command.removeprefix("make ") for command in steps_of(ROOT / ".github/workflows/test.yml")}
    called = called - {"${{ matrix.target }}"} | set(matrix["target"])
    assert called <= TARGETS
    # All that `make test` runs, and what is too long for it.
    assert called == {"lint", "docs-test", "molecule", "sanity", "unit", "integration", "thorough"}


def test_a_tag_is_released_by_the_target_that_a_person_uses() -> None:
    assert "release" in TARGETS
    assert steps_of(ROOT / ".github/workflows/release.yml")[0].startswith("make release VERSION=")


def test_the_hooks_before_a_commit_are_targets_of_the_makefile() -> None:
    [repo] = content_of(".pre-commit-config.yaml")["repos"]
    assert repo["repo"] == "local"
    assert {hook["entry"].removeprefix("make ") for hook in repo["hooks"]} <= TARGETS
    subprocess.run(
        [TOOLS / "pre-commit", "validate-config", ROOT / ".pre-commit-config.yaml"],
        check=True,
        capture_output=True,
    )


def test_lint_has_a_check_for_each_convention() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    [wanted] = re.findall(r"^LINTS := (.*)$", text, re.MULTILINE)
    assert {"licences", "changelog-lint", "docs-lint", "galaxy"} <= set(wanted.split()) <= TARGETS
    assert re.search(r"^lint: .*\n\t@printf '%s\\n' \$\(LINTS\) \| xargs", text, re.MULTILINE)


def test_the_commands_for_contributors_name_targets_scenarios_and_tests_that_are_there() -> None:
    page = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    assert (
        set(re.findall(r"`make ([a-z-]+)", page)) | set(re.findall(r"^\$ make ([a-z-]+)", page, re.MULTILINE))
        <= TARGETS
    )
    for scenario in re.findall(r"molecule test -s (\w+)", page):
        assert (ROOT / "extensions" / "molecule" / scenario / "molecule.yml").exists()
    commands = re.findall(r"python -m pytest (\S+) -q(?: -k (\w+))?$", page, re.MULTILINE)
    assert len(commands) == page.count("python -m pytest")
    for path, word in commands:
        files = [ROOT / path] if path.endswith(".py") else list((ROOT / path).rglob("test_*.py"))
        assert re.search(
            rf"^def test_\w*{word}", "".join(each.read_text(encoding="utf-8") for each in files), re.MULTILINE
        )


# Versions


def run_by_workflow() -> set[tuple[str, str]]:
    """Return the pairs of ansible-core and Python that the workflow runs."""
    matrix = content_of(".github", "workflows", "test.yml")["jobs"]["matrix"]["strategy"]["matrix"]
    left_out = {(one["ansible-core"], one["python"]) for one in matrix["exclude"]}
    return set(itertools.product(matrix["ansible-core"], matrix["python"])) - left_out


def documented_pairs() -> set[tuple[str, str]]:
    """Return the pairs of which the support matrix says yes."""
    lines = (ROOT / "docs" / "support.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    [head] = [row for row in rows if row[0] == "ansible-core"]
    return {
        (row[0], name.removeprefix("Python "))
        for row in rows
        if re.fullmatch(r"\d\.\d+", row[0])
        for name, said in zip(head[1:], row[1:], strict=True)
        if said == "yes"
    }


def test_the_support_matrix_is_what_the_workflow_runs() -> None:
    assert documented_pairs() == run_by_workflow()


def test_the_oldest_ansible_core_is_the_one_that_galaxy_is_told_and_that_developers_use() -> None:
    oldest = min((core for core, _ in run_by_workflow()), key=lambda core: int(core.split(".")[1]))
    assert content_of("meta", "runtime.yml")["requires_ansible"] == f">={oldest}.0"
    assert f"\nansible-core=={oldest}." in (ROOT / "requirements" / "dev.in").read_text()
    for path in ROOT.glob("roles/*/meta/main.yml"):
        assert content_of(str(path))["galaxy_info"]["min_ansible_version"] == oldest


def test_the_documented_versions_of_restate_are_those_of_the_tests() -> None:
    page = (ROOT / "docs" / "support.md").read_text(encoding="utf-8")
    [told] = re.findall(r"with Restate (.*?):\n", page)
    assert set(re.findall(r"\d\.\d\.\d+", told)) == set(restate_server.VERSIONS)
    assert {tuple(map(int, version.split(".")[:2])) for version in restate_server.VERSIONS} == set(RELEASES)


def test_the_documented_libraries_are_those_that_are_required() -> None:
    page = (ROOT / "docs" / "support.md").read_text(encoding="utf-8")
    required = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    ranges = dict(re.findall(r"(httpx|pydantic) from ([\d.]+), before \d", page))
    assert {f"{name}>={lowest}" for name, lowest in ranges.items()} == set(
        re.findall(r"^(\w+>=[\d.]+)", required, re.MULTILINE)
    )


# Release notes


def test_the_version_of_galaxy_has_release_notes_that_were_made_for_it() -> None:
    version = content_of("galaxy.yml")["version"]
    assert version in content_of("changelogs", "changelog.yaml")["releases"]
    assert f'<a id="v{version.replace(".", "-")}"></a>' in (ROOT / "CHANGELOG.md").read_text()


def test_the_first_steps_name_the_version_of_galaxy() -> None:
    version = content_of("galaxy.yml")["version"]
    page = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    assert set(re.findall(r"dalp-restate-([\d.]+)\.tar", page)) == {version}
    assert set(re.findall(r'version: ">=([\d.]+),', page)) == {version}


# Execution environments


def test_an_execution_environment_finds_the_requirements_of_the_collection() -> None:
    told = subprocess.run(
        [TOOLS / "ansible-builder", "introspect", ROOT / ".build" / "collections"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    # Beside ours there may be the collection with which AWX is tested.
    ours = "  # from collection dalp.restate"
    found = {
        kind: {one.removesuffix(ours) for one in each if one.endswith(ours)}
        for kind, each in yaml.safe_load(told).items()
    }
    required = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    assert found["python"] == set(re.findall(r"^\w.*$", required, re.MULTILINE))
    assert found["system"] == {"npm [platform:rpm]", "npm [platform:dpkg]"}


# Files


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and not (ROOT / name).is_symlink()]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git alone tells which files are the project's")
def test_files_are_written_as_the_editorconfig_says() -> None:
    assert "trim_trailing_whitespace = true" in (ROOT / ".editorconfig").read_text(encoding="utf-8")
    for path in tracked():
        text = path.read_bytes()
        assert b"\r\n" not in text, path
        # What a server answered is kept as it was.
        if text and "answers" not in path.parts:
            assert text.endswith(b"\n") or path.suffix == ".j2", path
            assert not re.search(rb"[ \t]$", text, re.MULTILINE), path
