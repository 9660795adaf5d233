#!/usr/bin/python
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

# Mitogen takes a file for a module of Ansible by the words "from ansible.module_utils.", wherever they stand.

DOCUMENTATION = r"""
module: restate_recover_workflow
short_description: Give stuck workflows a fresh start
version_added: 0.1.0
description:
  - Brings workflow keys to where their next submission starts from nothing. Restate itself cannot restart a workflow.
  - One workflow, a list, or a selection by what is wrong. One key's trouble never stops the others; the task fails at
    the end if a key was blocked.
  - By default it only purges a run that failed for good, with its state and promises, and never touches a run that
    succeeded or anything that is unfinished.
  - A run that is submitted again has the id of the run before it. The module therefore reads just before each step
    whether the invocation is still the one that was planned, by when it was created. Restate has no conditional
    purge, so a run that is submitted again, and completes, between that read and the purge would be purged. An
    unfinished one would not, since the server refuses that.
  - Instances with a scope (Restate 1.7) are left alone.
  - Restate 1.5 lets an attempt of a killed run go on until the service has been silent for its inactivity_timeout, and
    its partition stops if the key is submitted again before that. There, such a run is killed and not yet purged
    (reason V(purge_failed)). Run the task again after that time.
extends_documentation_fragment:
  - dalp.restate.attributes
  - dalp.restate.connection
  - dalp.restate.audit
  - dalp.restate.plan
author:
  - The dalp.restate contributors (@dalp)
options:
  service_name:
    description: The workflow service, for one workflow.
    type: str
  service_key:
    description:
      - The workflow's key, for one workflow.
      - With O(backend=dalp) it, and O(service_name), can have letters, digits, underscores and hyphens only.
    type: str
  workflows:
    description: The workflows, for many in one task.
    type: list
    elements: dict
    suboptions:
      service_name:
        description: The workflow service.
        type: str
        required: true
      service_key:
        description: The workflow's key.
        type: str
        required: true
  select:
    description:
      - Choose workflow runs by what is wrong with them, the oldest failure first. Not with O(backend=dalp).
    type: dict
    suboptions:
      service_name:
        description: Only this workflow service. By default all.
        type: str
      kinds:
        description:
          - V(failed) is a run that failed for good, V(paused) one that is paused, V(backing_off) one that is being
            retried after a failure.
        type: list
        elements: str
        choices: [failed, paused, backing_off]
        default: [failed]
      failed_before:
        description:
          - Only what failed before this, a time like V(2026-11-22T03:00:00Z) or an age like V(2h).
          - That is when a run failed for good, paused, or was last tried.
        type: str
      failed_after:
        description:
          - Only what failed at or after this, a time or an age.
          - An age is counted by the clock of Restate. If that and the clock of the host on which the module runs differ
            by more than a few seconds, the task warns.
        type: str
      failure_matches:
        description:
          - A regular expression that must be found in the failure.
          - Restate matches it, in the syntax of Rust (U(https://docs.rs/regex/latest/regex/#syntax)), which has no
            look-around and no back-references. What Restate does not take is RESTATE_INVALID_ARGUMENT.
        type: str
      limit:
        description: How many at the most. The result tells how many more there are.
        type: int
        required: true
  kill_active:
    description:
      - Which unfinished invocations of the key may be killed. With O(backend=dalp) V(never) only.
      - With V(stuck) those that are paused or were tried O(stuck_after_retries) times, if all of the key's are such.
      - A kill takes along whatever the invocation called and is unfinished, one-way calls too. The result lists it
        under C(children), in check mode too.
      - Invocations that called what is killed, or are attached to it by its id, get its failure. The result lists them
        under C(callers), in check mode too. Restate does not tell who waits for it at the ingress.
    type: str
    choices: [never, stuck, any]
    default: never
  stuck_after_retries:
    description: From how many attempts on an invocation counts as stuck. By default V(3). Not with
      O(backend=dalp).
    type: int
  clear_orphaned_state:
    description:
      - Whether to clear state that is there without a run. By default V(false). Not with O(backend=dalp).
      - With a completion retention of zero, a run that succeeded looks like this, so make sure of it first.
    type: bool
  snapshot_dir:
    description:
      - A folder on the host that runs the module. Before anything of a key is destroyed, a file (mode 0600) with its
        invocations, state, promises, original input and failure is written there, or the key is left.
      - The files hold what the workflows hold, secrets included. The folder is made (mode 0700) where it is missing.
      - The folder and its parents must belong to you or to root, and must not be writable by everyone or by a group
        that you are not in. In a job of AWX a mounted volume can have any mode. A snapshot that is to be submitted
        must be yours, and no other user may read or write it. Anything else is refused before anything is touched.
      - In a job of AWX, a folder that vanishes with the job's container is refused before anything is touched.
      - Not with O(backend=dalp).
    type: path
  snapshot_cluster:
    description:
      - A snapshot that owes a resubmission belongs to the cluster whose deployments it names, at whichever of its URLs.
        Another cluster's is left, with a warning. Where neither can be told, since none of those deployments is
        registered any more and O(admin_url) is another one, nothing is touched; V(this) says that it is this one.
      - Not with O(backend=dalp).
    type: str
    choices: [this]
  resubmit:
    description:
      - Submit each recovered workflow again. V(original_input) takes the run's own input, byte for byte with its
        content type and headers, from the journal before the purge. A run that a handler started has no content type,
        and gets the one that the run handler declares.
      - Needs O(snapshot_dir). A task that was cut off and is run again submits what it still owed, and nothing twice.
        What the folder owes to another cluster is left, with a warning (see O(snapshot_cluster)).
      - Where O(auth_token) or O(headers) go to O(ingress_url), they stand before the input's own of the same name.
      - A key whose input is no longer retained, or would be refused by the ingress, is left, as is everything where the
        ingress does not answer.
      - A key that a request destroyed that timed out is not submitted again in that task, but by the next.
      - Not with O(backend=dalp).
    type: str
    choices: [original_input]
  skip_blocked:
    description: Whether the task succeeds although keys were blocked. A key that was touched and is not finished, or
      that is in doubt, always fails the task.
    type: bool
    default: false
seealso:
  - module: dalp.restate.restate_resume
    description: The cure to try first, which destroys nothing.
  - module: dalp.restate.restate_doctor
  - name: Error codes
    description: What each code means, and what to do.
    link: https://github.com/dalp/ansible-restate/blob/main/docs/error-codes.md
"""

EXAMPLES = r"""
- name: Give a workflow that failed for good a fresh start
  dalp.restate.restate_recover_workflow:
    admin_url: http://restate:9070
    service_name: OrderWorkflow
    service_key: order-1001

- name: Give up a run that keeps failing
  dalp.restate.restate_recover_workflow:
    admin_url: http://restate:9070
    service_name: OrderWorkflow
    service_key: order-1003
    kill_active: stuck
    reason: INC-4711

- name: Clear up after an outage, keep what is destroyed, and submit it again
  dalp.restate.restate_recover_workflow:
    admin_url: http://restate:9070
    ingress_url: http://restate:8080
    select:
      service_name: OrderWorkflow
      failed_after: 2h
      failure_matches: database is down
      limit: 1000
    snapshot_dir: /var/lib/restate-snapshots
    resubmit: original_input
    reason: INC-4711

- name: Give a workflow that failed for good a fresh start, through DALP
  dalp.restate.restate_recover_workflow:
    backend: dalp
    dalp_url: https://your-platform.example.com
    dalp_api_key: "{{ vault_dalp_api_key }}"
    service_name: InvitationWorkflow
    service_key: invitation_01j8m7k2q3r4s5t6u7v8w9x0y1_1770000000000
"""

RETURN = r"""
outcome:
  description: The outcome of the one key that was asked for.
  returned: with O(service_key), when the key was looked at
  type: str
  sample: recovered
results:
  description:
    - What became of each key; in check mode what would.
    - C(outcome) is V(recovered), V(blank) where there was nothing to do, V(blocked), or V(failed) where it was cut
      off or is in doubt.
    - For V(blocked), C(reason) is V(active_invocation), V(already_succeeded), V(run_unknown), V(promise_without_run),
      V(query_failed), V(kill_failed), V(purge_failed), V(clear_failed), V(snapshot_failed), V(input_unavailable)
      or V(resubmission_unknown).
    - For V(failed), it is V(unknown), V(write_in_doubt), V(resubmission_failed), V(interrupted) or V(not_tried). It is
      one of those for V(blocked) if something of the key was destroyed, or if its resubmission is pending.
    - With V(write_in_doubt), a kill or a purge of an earlier task timed out and may still be delivered, and would then
      destroy the next run of the key. The key is left until C(retry_after); see O(write_grace).
    - C(retry_after) is from when a key with a write in doubt can be taken up. Not with O(backend=dalp).
    - With O(backend=dalp) a key that DALP acknowledged is V(recovered), C(reason) is DALP's own or, for V(failed),
      V(unknown), V(refused) or V(not_tried); what was killed and purged is not told.
    - C(failure) is how the run had failed, in the words of its service. Not with O(backend=dalp).
    - C(unknown) are the invocations of which no answer tells whether they were killed or purged. Not with
      O(backend=dalp).
    - C(resubmitted) is the id of the new run, which is that of the old one; C(resubmitted_at), when it was created,
      proves that it is new.
  returned: when the keys were looked at
  type: list
  elements: dict
  sample:
    - service_name: OrderWorkflow
      service_key: order-1001
      outcome: recovered
      reason: null
      message: ""
      failure: "[500] payment provider refused the card"
      invocation_ids: []
      killed: []
      purged: [inv_193qodcX9tJp44poOi5MNQFkcV7ICJSpJu]
      cleared: []
      children: []
      callers: []
      snapshot: null
      resubmitted: null
      resubmitted_at: null
      unknown: []
      retry_after: null
summary:
  description: How many keys had which outcome.
  returned: when the keys were looked at
  type: dict
  sample: {blank: 0, recovered: 1, blocked: 0, failed: 0}
  contains:
    blank:
      description: There was nothing to do.
      type: int
      returned: always
    recovered:
      description: They can be run again, or are running again.
      type: int
      returned: always
    blocked:
      description: They were left as they are.
      type: int
      returned: always
    failed:
      description: They were cut off, or are in doubt.
      type: int
      returned: always
    unknown:
      description: What would become of them cannot be predicted.
      type: int
      returned: in check mode with O(backend=dalp)
retry_after:
  description:
    - From when all keys with a write in doubt can be taken up by the same task, which finds out then what became of the
      write.
  returned: when a kill or a purge was not answered, and may be delivered late
  type: str
  sample: "2026-11-22T18:42:01.512Z"
left_over:
  description: How many more runs match O(select), beyond its limit.
  returned: with O(select)
  type: int
  sample: 0
predicted:
  description: V(unknown), since DALP has no dry run of a recovery; C(outcome) then is V(unknown), too.
  returned: in check mode with O(backend=dalp)
  type: str
  sample: unknown
steps:
  description: The write calls of the plan, in their order; the same in check mode.
  returned: with O(service_key), when a plan could be made
  type: list
  elements: dict
  sample:
    - {action: purge, invocation_id: inv_193qodcX9tJp44poOi5MNQFkcV7ICJSpJu}
  contains:
    action:
      description: The call.
      type: str
      returned: always
    invocation_id:
      description: The invocation that it is about.
      type: str
      returned: where it is about one
    workflow:
      description: The service and the key that DALP is asked to recover.
      type: str
      returned: with O(backend=dalp)
# What modules have in common: scripts/return_docs.py writes it.
changed_reason:
  description: Why the result says changed or not, where what DALP tells before and after is no proof of it.
  returned: with O(backend=dalp), where that is so
  type: str
  sample: No answer of DALP tells whether it was carried out.
plan_digest:
  description:
    - What tells this plan from any other. That of a dry run, given as O(plan_digest), lets no other plan be carried
      out.
  returned: where there is a plan that is not refused, and what comes of it can be predicted
  type: str
  sample: recover_workflow,1,0db5274da4a7f5a10c5a3ad9ee6d10c1,OrderWorkflow/order-1001=recover:5cf1a0b3e2
acknowledged:
  description: True where the operation succeeded, also when there was nothing to do.
  returned: success
  type: bool
  sample: true
done:
  description: The steps that were carried out before a failure.
  returned: on failure, where something was written
  type: list
  elements: dict
  sample: []
unknown:
  description: The steps that were sent and of which no answer tells whether they were carried out.
  returned: on failure, where there are some
  type: list
  elements: dict
  sample: []
not_done:
  description: The steps that were not carried out.
  returned: on failure, where something was written
  type: list
  elements: dict
  sample: []
audit:
  description:
    - The audit record of this attempt, a CloudEvents 1.0 object without secrets.
    - With O(audit_log), C(linehash) is the hash of its line in the log.
  returned: always
  type: dict
  sample:
    specversion: "1.0"
    id: 3f3f2c1e-6d0b-4b0e-9d51-0d6f7f7c8a11
    time: "2026-11-22T18:40:01.512Z"
    source: http://localhost:9070
    type: dalp.restate.recover_workflow.succeeded
    subject: OrderWorkflow/order-1001
    datacontenttype: application/json
    data:
      attempt: a967b233-a959-4a3f-a131-fb8cc0e5c58b
      actor: release-bot
      operation: recover_workflow
      arguments: {}
      reason: null
      check_mode: false
      changed: true
      outcome: succeeded
      error_code: null
      error_message: null
      duration_ms: 41
      restate_version: 1.7.12
      before_digest: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
      after_digest: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
      context: {}
error:
  description: Why the task failed.
  returned: on failure
  type: dict
  contains:
    code:
      description: The error code, of L(Error codes,https://github.com/dalp/ansible-restate/blob/main/docs/error-codes.md).
      type: str
      returned: always
    message:
      description: What happened, with the server's own words.
      type: str
      returned: always
    remedy:
      description: What to do.
      type: str
      returned: always
    reason:
      description: A more precise reason.
      type: str
      returned: where there is one
    invocation_ids:
      description: The invocations concerned.
      type: list
      elements: str
      returned: where there are some
    deployment_ids:
      description: The deployments concerned.
      type: list
      elements: str
      returned: where there are some
    http:
      description: The request that failed, its C(method), C(url), C(status) and C(restate_code) or C(dalp_code).
      type: dict
      returned: where a request failed
# The end of what modules have in common.
"""

from ..module_utils._operations.operation import Backend, Operation
from ..module_utils._task.module import run

ARGUMENT_SPEC = {
    "service_name": {"type": "str"},
    "service_key": {"type": "str", "no_log": False},
    "workflows": {
        "type": "list",
        "elements": "dict",
        "options": {
            "service_name": {"type": "str", "required": True},
            "service_key": {"type": "str", "required": True, "no_log": False},
        },
    },
    "select": {
        "type": "dict",
        "options": {
            "service_name": {"type": "str"},
            "kinds": {
                "type": "list",
                "elements": "str",
                "choices": ["failed", "paused", "backing_off"],
                "default": ["failed"],
            },
            "failed_before": {"type": "str"},
            "failed_after": {"type": "str"},
            "failure_matches": {"type": "str"},
            "limit": {"type": "int", "required": True},
        },
    },
    "kill_active": {"type": "str", "choices": ["never", "stuck", "any"], "default": "never"},
    "stuck_after_retries": {"type": "int"},
    "clear_orphaned_state": {"type": "bool"},
    "snapshot_dir": {"type": "path"},
    "snapshot_cluster": {"type": "str", "choices": ["this"]},
    "resubmit": {"type": "str", "choices": ["original_input"]},
    "skip_blocked": {"type": "bool", "default": False},
}


def backend(name: str) -> Backend:
    """Return how it is done with a backend; what another one needs is not imported."""
    if name == "dalp":
        from ..module_utils._operations.recovery import dalp

        return dalp.BACKEND
    from ..module_utils._operations.recovery import restate

    return restate.BACKEND


OPERATION = Operation(
    "recover_workflow",
    ARGUMENT_SPEC,
    backend,
    {
        "required_together": [("service_name", "service_key")],
        "required_one_of": [("service_key", "workflows", "select")],
        "mutually_exclusive": [("service_key", "workflows", "select")],
    },
)


def main() -> None:
    run(OPERATION)


if __name__ == "__main__":
    main()
