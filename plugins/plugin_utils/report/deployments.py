# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which deployments there were, are, or would be, and what a run did to them."""

from __future__ import annotations

import typing as t

from ..summary import Run
from .page import BAD, GOOD, INFO, QUIET, WARN, Block, Cell, Code, Drawing, Section, Table, Text, Word
from .picture import Deployment, Served, draw
from .texts import count, some

_TONES = {"active": GOOD, "draining": WARN, "drained": QUIET}
_SERVICES = 20

Item = t.Mapping[str, t.Any]


def deployments_of(run: Run) -> Section | None:
    """Return what the examinations saw of deployments and services, with what the run did; None where they saw none."""
    seen = _seen(run)
    found = [*_planned(run), *reversed(seen)]
    if not found:
        return None
    return Section("deployments", "Deployments and services", [*_words(run, found), _drawing(run, found)])


def _seen(run: Run) -> list[Deployment]:
    """Return the deployments of both examinations, the oldest first."""
    before, after = _items(run.before.result), _items(run.after.result)
    fates = _fates(run)
    latest = _latest(run.after.result if after else run.before.result)
    was_read = bool(after)
    gone = {id_ for id_ in before if id_ not in after} if was_read else set()
    items = sorted((before | after).values(), key=lambda item: str(item.get("created_at")))
    found = []
    for item in items:
        fate = fates.get(item["id"], "")
        is_new = was_read and item["id"] not in before and bool(before)
        if not fate and is_new:
            fate = "registered meanwhile"
        if not fate and item["id"] in gone:
            fate = "gone since the examination before"
        found.append(_deployment(item, fate, latest, is_there=item["id"] not in gone))
    return found


def _items(examination: Item) -> dict[str, Item]:
    items = (examination.get("deployments") or {}).get("items") or []
    return {item["id"]: item for item in items if item.get("id")}


def _latest(examination: Item) -> dict[str, str]:
    """Return, by service, the deployment that is its latest one."""
    items = (examination.get("services") or {}).get("items") or []
    return {each["name"]: each["deployment_id"] for each in items if each.get("deployment_id")}


def _deployment(item: Item, fate: str, latest: t.Mapping[str, str], *, is_there: bool) -> Deployment:
    state = str(item.get("state") or "registered") if is_there else "removed"
    services = [
        Served(
            each["name"], each.get("revision"), is_latest=is_there and latest.get(each["name"]) == item["id"]
        )
        for each in item.get("services") or []
    ]
    return Deployment(
        id=item["id"],
        url=str(item.get("service_url")),
        state=state,
        tone=_TONES.get(state, QUIET),
        pending=item.get("pending_invocations") if is_there else None,
        services=services,
        fate=fate,
        fate_tone=_tone(fate),
        is_there=is_there,
    )


def _tone(fate: str) -> str:
    if "removed" in fate or fate.startswith("gone"):
        return BAD
    return WARN if "stay" in fate else INFO


def _fates(run: Run) -> dict[str, str]:
    """Return, by id, what the run did to a deployment, or would do."""
    would = "would be " if run.is_dry else ""
    fates: dict[str, str] = {}
    for step in run.steps:
        result = step.result
        conditional = {
            each.get("deployment_id") for each in result.get("steps") or [] if each.get("conditional")
        }
        for id_ in result.get("removed") or []:
            if_drained = " if it drains in time" if run.is_dry and id_ in conditional else ""
            fates[id_] = f"{would}removed{if_drained}"
        fates |= dict.fromkeys(result.get("already_gone") or [], "removed by somebody else")
        for each in result.get("remaining") or []:
            fates[each["deployment_id"]] = f"{'would stay' if run.is_dry else 'stays'}: {each['reason']}"
        registered = _registering(result)
        if registered and result.get("deployment_id") and result.get("changed"):
            fates[result["deployment_id"]] = f"{would}{registered}"
    return fates


def _registering(result: Item) -> str:
    """Return what a registration does, or nothing where the step is none."""
    actions = {each.get("action") for each in result.get("steps") or []}
    return "registered" if "register" in actions else "registered again" if "overwrite" in actions else ""


def _planned(run: Run) -> list[Deployment]:
    """Return the deployment that a dry run would register; it has no id yet."""
    if not run.is_dry:
        return []
    return [
        Deployment(
            id="",
            url=str(result["deployment"].get("service_url")),
            state="planned",
            tone=INFO,
            services=[
                Served(each["name"], is_latest=True) for each in result["deployment"].get("services") or []
            ],
            fate="would be registered",
            fate_tone=INFO,
            is_there=False,
        )
        for result in (step.result for step in run.steps)
        if result.get("changed")
        and result.get("deployment")
        and not result.get("deployment_id")
        and not result.get("failed")
    ]


def _words(run: Run, found: t.Sequence[Deployment]) -> t.Iterator[Block]:
    pending = sum(each.pending or 0 for each in found)
    if not any(each.services for each in found):
        yield Text("Which deployment serves what could not be read.", WARN)
    elif run.is_dry:
        yield Text("As it is now, with what the real run would do.")
    if pending:
        yield Text(
            f"{count(pending, 'invocation')} pending: each goes on where it began, and holds that deployment."
        )


def _drawing(run: Run, found: t.Sequence[Deployment]) -> Drawing:
    what = f"{count(len(found), 'deployment')} on {run.host}, the newest first."
    rows: list[list[Cell]] = [
        [
            Code(each.id or "(new)"),
            each.url,
            Word(each.state, each.tone),
            "not told" if each.pending is None and each.is_there else f"{each.pending or 0:,}",
            some(
                [f"{one.name} {'(new)' if one.revision is None else one.revision}" for one in each.services],
                _SERVICES,
            ),
            Word(each.fate, each.fate_tone) if each.fate else "untouched",
        ]
        for each in found
    ]
    columns = ("Deployment", "URL", "State", "Pending", "Services and revisions", "In this run")
    return Drawing(draw(found, what), Table("Deployments, the newest first", columns, rows))
