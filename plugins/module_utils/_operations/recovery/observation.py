# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what a recovery needs to know: the keys, what Restate holds of them, and what an earlier task left."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ... import _timestamps
from ..._errors import OperatorError
from ..._restate.admin import AdminClient
from ..._restate.rows import Invocation, Promise, StateEntry
from ..._restate.server import Restate
from ..invocations.chunks import chunks, rows_about
from ..invocations.selection import select_runs
from ..open_actions import OpenActions
from ..report import FEW
from .callers import read_callers
from .cluster import Cluster
from .doubt import Doubts
from .inputs import read_inputs
from .key_plan import plan_key
from .key_state import KeyState
from .plan import Name, Observed, RecoveryRequest
from .snapshot_content import content_digest, read_contents
from .snapshots import PendingResubmission, SnapshotNames, Snapshots
from .workflow import Workflow, read_accepted_input, read_workflow

_DEPTH = 20
_READ_AT_ONCE = 2000
"""How many keys of a workflow are read before it is seen which of them are recovered; each query names fewer."""
_ROWS_A_KEY = 10
"""Fewer than the 40 or so that cost a server as much as to look a key up (1.5.3, 1.6.2 and 1.7.12)."""
_LONGEST = 250_000
"""How many characters of keys one query names at most: a server, or a proxy in front of it, takes no endless body."""
READ_ERRORS = ("RESTATE_QUERY_FAILED", "RESTATE_UNEXPECTED_RESPONSE")


def observe(restate: Restate, request: RecoveryRequest) -> Observed:
    """Return what is there of all keys that are meant; nothing is written.

    Raises OperatorError where the task cannot be done as asked: RESTATE_INVALID_ARGUMENT for what is no workflow or no
    folder, RESTATE_UNSUPPORTED where inputs could not be submitted again.
    """
    admin = restate.admin
    pending: dict[Name, PendingResubmission] = {}
    snapshots = cluster = None
    if request.snapshot_dir:
        cluster = Cluster.read(admin)
        snapshots = Snapshots(
            request.snapshot_dir, cluster=cluster, takes_unknown=request.snapshot_cluster == "this"
        )
        snapshots.check_usable()
        pending = snapshots.pending() if request.resubmit else {}
    names, beyond_limit = _names(admin, request, pending)
    workflows = {
        name: read_workflow(admin, name) for name in dict.fromkeys(service for service, _key in names)
    }
    if request.resubmit:
        workflows = _with_accepted_inputs(restate, workflows)
    # A run that is submitted again must find nothing that came up meanwhile.
    reads_all = restate.shows_all or len(names) <= FEW or request.resubmit is not None
    reader = _Reader(admin, request, reads_all=reads_all)
    for workflow in workflows.values():
        reader.read(workflow, [key for service, key in names if service == workflow.name])
    return Observed(
        names=tuple(names),
        workflows=workflows,
        seen=reader.seen,
        failed_reads=reader.failed_reads,
        now=_timestamps.now(),
        releases_killed_at_once=admin.capabilities.releases_killed_at_once,
        children=reader.children,
        callers=reader.callers,
        retained=frozenset(reader.retained),
        unfit_inputs=reader.unfit_inputs,
        unfit_pending=_unfit_pending(pending, workflows),
        pending=pending,
        foreign=tuple(snapshots.foreign) if snapshots else (),
        cluster=cluster,
        beyond_limit=beyond_limit,
        reads_all=reads_all,
        snapshots=SnapshotNames(snapshots.folder) if snapshots else None,
        doubts=Doubts(tuple(OpenActions.of(restate, request.snapshot_dir).writes()), restate.write_grace),
        content_digests=reader.content_digests,
    )


def _names(admin: AdminClient, request: RecoveryRequest, pending: t.Iterable[Name]) -> tuple[list[Name], int]:
    """Return the keys that are meant, and how many more runs match the selection."""
    if request.select is None:
        return request.names, 0
    selected = select_runs(admin, request.select)
    # By name: with each retry the failure of a run is a new one, and its place by age another.
    chosen = sorted((run.target_service_name, run.target_service_key) for run in selected.runs)
    # What an earlier task that was cut off left is no longer to be found by its failure.
    wanted = request.select.service_name
    left_before = [name for name in pending if wanted in (None, name[0])]
    return list(dict.fromkeys([*chosen, *left_before])), selected.beyond_limit


def _with_accepted_inputs(restate: Restate, workflows: dict[str, Workflow]) -> dict[str, Workflow]:
    """Return the workflows with what their run handlers accept; raise OperatorError if they cannot be submitted."""
    found = {
        name: dataclasses.replace(workflow, accepts=read_accepted_input(restate.admin, workflow))
        for name, workflow in workflows.items()
    }
    if found:
        restate.ingress.health(lambda: restate.admin.version.ingress_endpoint)
    return found


class _Reader:
    """Reads keys chunk by chunk. Where a question fails, the keys of its chunk have its error, and no others."""

    def __init__(self, admin: AdminClient, request: RecoveryRequest, *, reads_all: bool) -> None:
        self._admin = admin
        self._reads_all = reads_all
        self._request = request
        self.seen: dict[Name, KeyState] = {}
        self.failed_reads: dict[Name, OperatorError] = {}
        self.children: dict[str, tuple[str, ...]] = {}
        self.callers: dict[str, tuple[str, ...]] = {}
        self.retained: set[str] = set()
        self.unfit_inputs: dict[Name, str] = {}
        self.content_digests: dict[Name, str] = {}

    def read(self, workflow: Workflow, keys: t.Sequence[str]) -> None:
        """Read keys of a workflow, and what more is to be known of those of which something is to be destroyed."""
        for chunk in chunks(keys, _READ_AT_ONCE):
            states: dict[str, KeyState] = {}
            with self._noting_failure(workflow.name, chunk):
                states = read_keys(self._admin, workflow, chunk, reads_all=self._reads_all)
            self.seen |= {(workflow.name, key): state for key, state in states.items()}
            plans = {key: plan_key(state, self._request.rules) for key, state in states.items()}
            going = [key for key, plan in plans.items() if plan.has_steps]
            if not going:
                continue
            with self._noting_failure(workflow.name, going):
                killed = [row.id for key in going for row in plans[key].kill]
                self.children |= read_children(self._admin, killed)
                self.callers |= read_callers(self._admin, killed)
                self._read_what_is_kept(workflow, [states[key] for key in going])

    @contextlib.contextmanager
    def _noting_failure(self, service: str, keys: t.Iterable[str]) -> t.Iterator[None]:
        try:
            yield
        except OperatorError as exc:
            if exc.code not in READ_ERRORS:
                raise
            self.failed_reads |= {(service, key): exc for key in keys}

    def _read_what_is_kept(self, workflow: Workflow, states: t.Sequence[KeyState]) -> None:
        """Read which inputs cannot be submitted again, and of keys without a run what tells two snapshots apart."""
        if self._request.resubmit:
            runs = {state.run.id: state.key for state in states if state.run}
            inputs = read_inputs(self._admin, list(runs))
            unfit = {id_: workflow.why_not_submitted(runs[id_], content) for id_, content in inputs.items()}
            self.unfit_inputs |= {(workflow.name, runs[id_]): why for id_, why in unfit.items() if why}
            self.retained |= {id_ for id_, why in unfit.items() if not why}
        without_run = {state.key: state for state in states if state.run is None}
        if self._request.snapshot_dir and without_run:
            service = states[0].service
            contents = read_contents(self._admin, service, list(without_run))
            for key, state in without_run.items():
                self.content_digests[service, key] = content_digest(state, contents.of(key))


def _unfit_pending(
    pending: t.Mapping[Name, PendingResubmission], workflows: t.Mapping[str, Workflow]
) -> dict[Name, str]:
    """Return why inputs that an earlier task kept cannot be submitted: the handler may accept others by now."""
    found = {
        name: workflows[name[0]].why_not_submitted(name[1], each.input)
        for name, each in pending.items()
        if name[0] in workflows
    }
    return {name: why for name, why in found.items() if why}


def read_keys(
    admin: AdminClient, workflow: Workflow, keys: t.Sequence[str], *, reads_all: bool
) -> dict[str, KeyState]:
    """Return, by key, what Restate holds of each; scoped instances (1.7) are left out.

    Without O(reads_all), the state and the promises of a key whose run has begun are not read: they go with the run.
    """
    rows = _read_invocations(admin, workflow.name, keys)
    retries = _read_retries(admin, rows)
    by_key: dict[str, list[Invocation]] = {key: [] for key in keys}
    for row in rows:
        by_key[str(row.target_service_key)].append(row)
    found = {
        key: KeyState(workflow.name, key, tuple(invocations), workflow.run_handlers, retries)
        for key, invocations in by_key.items()
    }
    contents = [key for key, state in found.items() if reads_all or not state.has_begun]
    return found | _with_contents(admin, {key: found[key] for key in contents})


def _read_invocations(admin: AdminClient, service: str, keys: t.Sequence[str]) -> list[Invocation]:
    questions = admin.questions
    if _is_scan_cheaper(admin, keys):
        return admin.query(questions.invocations_of_keys(service, keys, by_scan=True))
    return rows_about(admin, lambda chunk: questions.invocations_of_keys(service, chunk), keys)


def _is_scan_cheaper(admin: AdminClient, keys: t.Sequence[str]) -> bool:
    """Whether all of these keys are found with less work among all invocations than one by one."""
    if len(keys) < FEW or sum(map(len, keys)) > _LONGEST:
        return False
    limit = _ROWS_A_KEY * len(keys)
    return admin.query(admin.questions.some_invocations(limit=limit))[0].n < limit


def _with_contents(admin: AdminClient, states: dict[str, KeyState]) -> dict[str, KeyState]:
    """Return what is held of keys of one service with the names of their state and promises."""
    found: dict[str, KeyState] = {}
    for chunk in chunks(list(states)):
        service = states[chunk[0]].service
        entries, promised = admin.queries(
            admin.questions.state_of_keys(service, chunk), admin.questions.promises_of_keys(service, chunk)
        )
        state = _names_by_key(entries)
        promises = _names_by_key(promised)
        found |= {
            key: dataclasses.replace(states[key], state=state.get(key, ()), promises=promises.get(key, ()))
            for key in chunk
        }
    return found


def _names_by_key(rows: t.Iterable[StateEntry | Promise]) -> dict[str, tuple[str, ...]]:
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.service_key, []).append(row.key)
    return {key: tuple(each) for key, each in names.items()}


def _read_retries(admin: AdminClient, rows: t.Iterable[Invocation]) -> dict[str, int]:
    """Return, by id, how often those that are under way were tried."""
    invoked = [row.id for row in rows if row.status == "invoked"]
    return {row.id: row.retry_count or 0 for row in rows_about(admin, admin.questions.invocations, invoked)}


def read_children(admin: AdminClient, parents: t.Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return, by the id of a parent, the unfinished invocations below it, which a kill takes along."""
    found: dict[str, list[str]] = {}
    root = {parent: parent for parent in parents}
    level = list(parents)
    for _depth in range(_DEPTH):
        below = rows_about(admin, admin.questions.children, level)
        level = []
        for row in below:
            if row.id not in root:
                root[row.id] = root[str(row.invoked_by_id)]
                found.setdefault(root[row.id], []).append(row.id)
                level.append(row.id)
        if not level:
            break
    return {parent: tuple(children) for parent, children in found.items()}
