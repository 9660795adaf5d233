#!/usr/bin/python
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

# Mitogen takes a file for a module of Ansible by the words "from ansible.module_utils.", wherever they stand.

DOCUMENTATION = r"""
module: restate_cleanup
short_description: Remove deployments that are no longer needed, and lose no work with them
version_added: 0.1.0
description:
  - Keeps the deployment at O(service_url) and removes others, each only when no pending invocation needs it.
  - Pending are the unfinished invocations that are pinned to a deployment, those that will run on it, and those that
    are being tried on it at the moment. They are counted again just before each removal.
  - A query that fails is never taken for an empty answer.
  - Between the last count and the removal an invocation can still get pinned. The module looks for it afterwards and
    moves it to the kept deployment (from Restate 1.6), or names it in a warning.
extends_documentation_fragment:
  - dalp.restate.attributes
  - dalp.restate.connection
  - dalp.restate.audit
  - dalp.restate.plan
author:
  - The dalp.restate contributors (@dalp)
options:
  service_url:
    description:
      - The registered URL of the deployment that stays.
      - Where the server has routing headers and several deployments are at this URL, it means the only one of them that
        is the latest of any service. Others can be listed under O(keep) by their ids.
    type: str
    required: true
  force_drain:
    description:
      - Whether to end the wait with what O(pending) says, rather than with a failure.
      - With O(backend=dalp), DALP ends what cannot drain, and does not tell how.
    type: bool
    default: false
  drain_timeout:
    description:
      - How long to wait for pending invocations, in seconds. Check mode never waits.
      - With O(backend=dalp), how long to wait for DALP's doctor to list the others no longer.
    type: int
    default: 60
  pending:
    description:
      - What becomes of work that is still pending at the end, with O(force_drain=true). By default V(migrate). Not
        with O(backend=dalp).
      - V(migrate) moves it to the kept deployment, where it goes on from its journal (from Restate 1.6). What does not
        fit is left, named with the reason, where that one does not serve its handler, has changed the type of its
        service or handler, or has an SDK that does not speak the version of the service protocol that it began with.
        So is what was paused unless O(migrate_paused=true).
      - V(cancel) asks it to stop and to compensate, which needs a service that answers.
      - V(kill) ends it, with all that it called, without compensation.
      - V(abandon) leaves it pinned to a deployment that is gone. Such zombies wait until they are resumed elsewhere.
    type: str
    choices: [migrate, cancel, kill, abandon]
  migrate_paused:
    description:
      - Whether V(pending=migrate) also moves, and so resumes, what was paused. It may be paused on purpose, so by
        default V(false). Not with O(backend=dalp).
    type: bool
  remove:
    description:
      - V(all) removes every deployment but the kept one.
      - V(superseded) removes only those that are the latest for no service. Not with O(backend=dalp).
      - V(replaced) removes only those of V(superseded) whose every service, and that of every invocation pending on
        them, the kept deployment now serves. So it leaves other applications of the engine alone. Not with
        O(backend=dalp).
    type: str
    choices: [all, superseded, replaced]
    default: all
  allow_service_removal:
    description:
      - Whether services may vanish with their only deployment. By default V(false). Not while a Kafka subscription
        feeds them. It must be deleted first.
      - With O(backend=dalp), which does not tell what a deployment serves, whether deployments may go that were
        registered after the kept one.
    type: bool
  keep:
    description:
      - URLs, ARNs or ids of further deployments that stay. One that is not registered is refused as a typo.
      - Not with O(backend=dalp).
    type: list
    elements: str
    default: []
  keep_revisions:
    description:
      - For each service of the kept deployment, how many other deployments with its newest revisions stay registered,
        so that a rollback has a target. Deployments that stay for another reason count.
      - Not with O(backend=dalp).
    type: int
    default: 0
  min_age:
    description:
      - Leave deployments that were registered less than this ago, as in V(90s), V(15m), V(2h) or V(3d).
      - Ages are counted by the clock of Restate. If that and the clock of the host on which the module runs differ by
        more than a few seconds, the task warns.
      - Not with O(backend=dalp).
    type: str
  max_removed:
    description: Refuse the whole plan if it would remove more deployments than this.
    type: int
    default: 10
  assume_registered:
    description:
      - In check mode, the RV(dalp.restate.restate_redeploy#module:deployment) that a dry run returned, to be taken as
        registered and the latest. Refused outside check mode.
    type: dict
seealso:
  - module: dalp.restate.restate_redeploy
  - module: dalp.restate.restate_doctor
  - name: Error codes
    description: What each code means, and what to do.
    link: https://github.com/dalp/ansible-restate/blob/main/docs/error-codes.md
"""

EXAMPLES = r"""
- name: Remove what the release superseded, once it has drained
  dalp.restate.restate_cleanup:
    admin_url: http://restate:9070
    service_url: http://orders-v2:9080
    remove: superseded
    drain_timeout: 600

- name: Remove what the release replaced, but leave other applications alone and keep one revision for a rollback
  dalp.restate.restate_cleanup:
    admin_url: http://restate:9070
    service_url: http://orders-v2:9080
    remove: replaced
    keep_revisions: 1

- name: Move what does not drain in five seconds to the release, and remove the rest
  dalp.restate.restate_cleanup:
    admin_url: http://restate:9070
    service_url: http://orders-v2:9080
    drain_timeout: 5
    force_drain: true
    pending: migrate

- name: Keep the release and remove all others, through DALP
  dalp.restate.restate_cleanup:
    backend: dalp
    dalp_url: https://your-platform.example.com
    dalp_api_key: "{{ vault_dalp_api_key }}"
    service_url: http://orders-v2:9080
"""

RETURN = r"""
kept:
  description: The deployment that stays; without its id in a dry run with O(assume_registered) of a new one.
  returned: when a plan could be made
  type: dict
  sample: {service_url: "http://orders-v2:9080/", deployment_id: dp_11bZz0x73F6lnmCz2TlAySl}
removed:
  description: The ids of the deployments that were removed; in check mode those that would be.
  returned: when a plan could be made; with O(backend=dalp) only where the doctor could be read afterwards
  type: list
  elements: str
  sample: [dp_11T20hDBm2yfWrx3B8cRlsd]
already_gone:
  description: The ids of the deployments that were to go and that somebody else removed meanwhile.
  returned: when a plan could be made; never with O(backend=dalp)
  type: list
  elements: str
  sample: []
remaining:
  description:
    - The other deployments that stay, each with the reason, and for V(latest) the services that it is the latest of,
      for V(not_replaced) those that the kept deployment does not serve.
    - A reason is one of V(keep), V(lambda), V(latest), V(not_replaced), V(keep_revisions), V(min_age),
      V(drain_timeout), V(paused_invocations), V(handler_not_served), V(service_type_changed), V(handler_type_changed),
      V(protocol_not_supported), V(migrate_unsupported), V(migration_failed), V(attempt_running),
      V(cancel_not_received), V(kill_failed), V(older_revision_returns), V(became_latest) and,
      where an error ended the task before it was come to, V(interrupted), or V(unknown) where no answer tells whether
      it was removed, or what pends on it killed or moved.
  returned: when a plan could be made
  type: list
  elements: dict
  sample:
    - deployment_id: dp_16HBpURoy77XmGSYT6UtIIh
      service_url: http://orders-v0:9080/
      reason: paused_invocations
      pending_invocations: 1
      invocation_ids: [inv_12A9z5kCxsPM0Bh6VvmQEvFj1Nn8mboNp7]
    - deployment_id: dp_166c8sXwRgJTNa3HSgEQUKt
      service_url: http://invoices:9080/
      reason: latest
      services: [Invoices]
migrated:
  description: The ids of the invocations that were moved.
  returned: when a plan could be made; never with O(backend=dalp)
  type: list
  elements: str
  sample: [inv_15Z8qsba8WMZ3GsFnDjFlIqQc482NAMLFX]
cancelled:
  description: The ids of the invocations that were cancelled.
  returned: when a plan could be made; never with O(backend=dalp)
  type: list
  elements: str
  sample: []
killed:
  description: The ids of the invocations that were killed, without those that only end with their callers.
  returned: when a plan could be made; never with O(backend=dalp)
  type: list
  elements: str
  sample: []
abandoned:
  description: The ids of the invocations that are left without a deployment.
  returned: when a plan could be made; never with O(backend=dalp)
  type: list
  elements: str
  sample: []
impact:
  description:
    - By service, how many invocations were moved, cancelled, killed or abandoned, also if the task fails.
    - In check mode, how many would be. Those that may still end by themselves within O(drain_timeout) are included.
    - What the killed invocations called ends with them, also on other deployments, and is counted as killed. A cancel
      reaches the calls that an invocation awaits, too, and these are not counted.
  returned: when a plan could be made; never with O(backend=dalp)
  type: dict
  sample:
    Ledger: {migrated: 0, cancelled: 0, killed: 1, abandoned: 0}
    OrderWorkflow: {migrated: 0, cancelled: 0, killed: 1, abandoned: 0}
waited_seconds:
  description: How long the task waited for pending invocations, at most O(drain_timeout). Check mode never waits.
  returned: when a plan could be made; never with O(backend=dalp)
  type: int
  sample: 12
steps:
  description:
    - The write calls of the plan, in their order; the same in check mode.
    - C(conditional) is there where what becomes of the deployment depends on whether it drains in time.
  returned: when a plan could be made
  type: list
  elements: dict
  sample:
    - action: wait_then_remove
      deployment_id: dp_11T20hDBm2yfWrx3B8cRlsd
      service_url: http://orders-v1:9080/
      pending_invocations: 2
      conditional: true
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
  sample: cleanup,1,0db5274da4a7f5a10c5a3ad9ee6d10c1,http://orders-v2:9080=keep:5cf1a0b3e2
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
    type: dalp.restate.cleanup.succeeded
    subject: http://orders-v2:9080
    datacontenttype: application/json
    data:
      attempt: a967b233-a959-4a3f-a131-fb8cc0e5c58b
      actor: release-bot
      operation: cleanup
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
    "service_url": {"type": "str", "required": True},
    "force_drain": {"type": "bool", "default": False},
    "drain_timeout": {"type": "int", "default": 60},
    "pending": {"type": "str", "choices": ["migrate", "cancel", "kill", "abandon"]},
    "migrate_paused": {"type": "bool"},
    "remove": {"type": "str", "choices": ["all", "superseded", "replaced"], "default": "all"},
    "allow_service_removal": {"type": "bool"},
    "keep": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "keep_revisions": {"type": "int", "default": 0},
    "min_age": {"type": "str"},
    "max_removed": {"type": "int", "default": 10},
    "assume_registered": {"type": "dict"},
}


def backend(name: str) -> Backend:
    """Return how it is done with a backend; what another one needs is not imported."""
    if name == "dalp":
        from ..module_utils._operations.cleanup import dalp

        return dalp.BACKEND
    from ..module_utils._operations.cleanup import restate

    return restate.BACKEND


OPERATION = Operation("cleanup", ARGUMENT_SPEC, backend)


def main() -> None:
    run(OPERATION)


if __name__ == "__main__":
    main()
