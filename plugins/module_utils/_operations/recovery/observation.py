# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what a recovery needs to know: the keys, what Restate holds of them, and what an earlier task left."""

from __future__ import annotations

import typing as t

from ... import _timestamps
from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from ..._restate.rows import Invocation, Promise, StateEntry
from ..._restate.server import Restate
from ..invocations.chunks import chunks
from ..invocations.selection import select_runs
from .inputs import read_inputs
from .key_plan import plan_key
from .key_state import KeyState
from .plan import Name, Observed, RecoveryRequest
from .snapshot_content import content_digest, read_contents
from .snapshots import PendingResubmission, SnapshotNames, Snapshots
from .workflow import Workflow, read_workflow

_DEPTH = 20
READ_ERRORS = ("RESTATE_QUERY_FAILED", "RESTATE_UNEXPECTED_RESPONSE")


def observe(restate: Restate, request: RecoveryRequest) -> Observed:
    """Return what is there of all keys that are meant; nothing is written.

    Raises OperatorError where the task cannot be done as asked: RESTATE_INVALID_ARGUMENT for what is no workflow or no
    folder, RESTATE_UNSUPPORTED where inputs could not be submitted again.
    """
    admin = restate.admin
    pending: dict[Name, PendingResubmission] = {}
    snapshots = None
    if request.snapshot_dir:
        snapshots = Snapshots(request.snapshot_dir, admin_url=admin.connection.shown_url)
        snapshots.check_usable()
        pending = snapshots.pending() if request.resubmit else {}
    names, beyond_limit = _names(admin, request, pending)
    workflows = {
        name: read_workflow(admin, name) for name in dict.fromkeys(service for service, _key in names)
    }
    if request.resubmit:
        _check_resubmission(restate, workflows.values())
    seen = _read_all(admin, workflows, names)
    going = _going(seen, request)
    return Observed(
        names=tuple(names),
        workflows=workflows,
        seen=seen,
        now=_timestamps.now(),
        releases_killed_at_once=admin.capabilities.releases_killed_at_once,
        children=read_children(
            admin, [row.id for state in going for row in plan_key(state, request.rules).kill]
        ),
        retained=_retained(admin, going) if request.resubmit else frozenset(),
        pending=pending,
        foreign=tuple(snapshots.foreign) if snapshots else (),
        beyond_limit=beyond_limit,
        snapshots=SnapshotNames(snapshots.folder) if snapshots else None,
        content_digests=_content_digests(admin, going) if snapshots else {},
    )


def _names(admin: AdminClient, request: RecoveryRequest, pending: t.Iterable[Name]) -> tuple[list[Name], int]:
    """Return the keys that are meant, and how many more runs match the selection."""
    if request.select is None:
        return request.names, 0
    selected = select_runs(admin, request.select)
    chosen = [(run.target_service_name, run.target_service_key) for run in selected.runs]
    # What an earlier task that was cut off left is no longer to be found by its failure.
    wanted = request.select.service_name
    left_before = [name for name in pending if wanted in (None, name[0])]
    return list(dict.fromkeys([*chosen, *left_before])), selected.beyond_limit


def _check_resubmission(restate: Restate, workflows: t.Iterable[Workflow]) -> None:
    for workflow in workflows:
        if workflow.run_handler is None:
            raise OperatorError(
                "RESTATE_UNSUPPORTED",
                f"{workflow.name} cannot be submitted through the ingress: its run handler is not registered or not "
                "public. Nothing was touched.",
                remedy="Leave out resubmit, and have its callers submit it again.",
            )
        restate.ingress.health(lambda: restate.admin.version.ingress_endpoint)


def _read_all(
    admin: AdminClient, workflows: t.Mapping[str, Workflow], names: t.Iterable[Name]
) -> dict[Name, KeyState | OperatorError]:
    """Return what there is of each key; where a question fails, its error for each key that it is about."""
    seen: dict[Name, KeyState | OperatorError] = {}
    for workflow in workflows.values():
        keys = [key for service, key in names if service == workflow.name]
        for chunk in chunks(keys):
            try:
                states: t.Mapping[str, KeyState | OperatorError] = read_keys(admin, workflow, chunk)
            except OperatorError as exc:
                if exc.code not in READ_ERRORS:
                    raise
                states = dict.fromkeys(chunk, exc)
            seen |= {(workflow.name, key): state for key, state in states.items()}
    return seen


def read_keys(admin: AdminClient, workflow: Workflow, keys: t.Sequence[str]) -> dict[str, KeyState]:
    """Return, by key, all that Restate holds of each; scoped instances (1.7) are left out."""
    invocations: dict[str, list[Invocation]] = {key: [] for key in keys}
    state: dict[str, list[str]] = {key: [] for key in keys}
    promises: dict[str, list[str]] = {key: [] for key in keys}
    questions, name = admin.questions, workflow.name
    for chunk in chunks(keys):
        rows, entries, promised = admin.queries(
            questions.invocations_of_keys(name, chunk),
            questions.state_of_keys(name, chunk),
            questions.promises_of_keys(name, chunk),
        )
        for row in t.cast("list[Invocation]", rows):
            invocations[str(row.target_service_key)].append(row)
        for entry in t.cast("list[StateEntry]", entries):
            state[entry.service_key].append(entry.key)
        for promise in t.cast("list[Promise]", promised):
            promises[promise.service_key].append(promise.key)
    retries = _read_retries(admin, [row for rows in invocations.values() for row in rows])
    return {
        key: KeyState(
            name,
            key,
            tuple(invocations[key]),
            workflow.run_handlers,
            {row.id: retries[row.id] for row in invocations[key] if row.id in retries},
            tuple(state[key]),
            tuple(promises[key]),
        )
        for key in keys
    }


def _read_retries(admin: AdminClient, rows: t.Iterable[Invocation]) -> dict[str, int]:
    """Return, by id, how often those that are under way were tried."""
    invoked = [row.id for row in rows if row.status == "invoked"]
    return {
        row.id: row.retry_count or 0
        for chunk in chunks(invoked)
        for row in admin.query(admin.questions.invocations(chunk))
    }


def _going(seen: t.Mapping[Name, KeyState | OperatorError], request: RecoveryRequest) -> list[KeyState]:
    """Return the keys of which something is to be destroyed, as far as what they hold tells."""
    states = [state for state in seen.values() if isinstance(state, KeyState)]
    return [state for state in states if plan_key(state, request.rules).has_steps]


def read_children(admin: AdminClient, parents: t.Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return, by the id of a parent, the unfinished invocations below it, which a kill takes along."""
    found: dict[str, list[str]] = {}
    root = {parent: parent for parent in parents}
    level = list(parents)
    for _depth in range(_DEPTH):
        below = [row for chunk in chunks(level) for row in admin.query(admin.questions.children(chunk))]
        level = []
        for row in below:
            if row.id not in root:
                root[row.id] = root[str(row.invoked_by_id)]
                found.setdefault(root[row.id], []).append(row.id)
                level.append(row.id)
        if not level:
            break
    return {parent: tuple(children) for parent, children in found.items()}


def _retained(admin: AdminClient, going: t.Iterable[KeyState]) -> frozenset[str]:
    """Return the runs whose input can still be read."""
    runs = [state.run.id for state in going if state.run]
    return frozenset(each for chunk in chunks(runs) for each in read_inputs(admin, chunk))


def _content_digests(admin: AdminClient, going: t.Iterable[KeyState]) -> dict[Name, str]:
    """Return, of keys without a run, what tells one snapshot of a key from another."""
    without_run = [state for state in going if state.run is None]
    digests: dict[Name, str] = {}
    for service in dict.fromkeys(state.service for state in without_run):
        states = [state for state in without_run if state.service == service]
        contents = read_contents(admin, service, [state.key for state in states])
        digests |= {(service, state.key): content_digest(state, contents.of(state.key)) for state in states}
    return digests
