#!/usr/bin/python
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

# Mitogen takes a file for a module of Ansible by the words "from ansible.module_utils.", wherever they stand.

DOCUMENTATION = r"""
module: restate_doctor
short_description: See what is wrong with a Restate server
version_added: 0.1.0
description:
  - Reads five components of a Restate server, side by side, and says what an operator should know and do.
  - One component that does not answer never hides another.
  - With O(backend=dalp) it shows what DALP's doctor tells; the rest is absent. It fails where DALP itself lets nobody
    in or does not answer.
  - Never changes anything. It costs a fixed number of requests, whatever the number of invocations.
  - Warns if the clock of Restate and that of the host on which the module runs differ by more than a few seconds.
  - This is not the C(restate-doctor) of the Restate project, which analyses a server's files offline.
extends_documentation_fragment:
  - dalp.restate.attributes
  - dalp.restate.connection
  - dalp.restate.audit
author:
  - The dalp.restate contributors (@dalp)
options:
  fail_on:
    description:
      - What to fail on, after everything was read; the result is whole also then.
      - V(unreachable) and V(degraded) are about the components, where V(degraded) includes V(unreachable).
      - V(critical) and V(warning) are about the findings, where V(warning) includes V(critical).
    type: list
    elements: str
    choices: [unreachable, degraded, critical, warning]
    default: []
  probe_services:
    description:
      - Whether to have Restate ask each deployment that is the latest for a service for discovery, too.
      - This costs one dry run of a registration for each such deployment.
      - Not with O(backend=dalp).
    type: bool
    default: false
seealso:
  - module: dalp.restate.restate_cleanup
  - module: dalp.restate.restate_recover_workflow
  - name: Findings
    description: What each finding means, and what to do.
    link: https://github.com/dalp/ansible-restate/blob/main/docs/findings.md
  - name: Error codes
    description: What each code means, and what to do.
    link: https://github.com/dalp/ansible-restate/blob/main/docs/error-codes.md
"""

EXAMPLES = r"""
- name: See how Restate is
  dalp.restate.restate_doctor:
    admin_url: http://restate:9070
  register: doctor

- name: Stop here unless all components answer and nothing is critical
  dalp.restate.restate_doctor:
    admin_url: https://restate.example.com:9070
    auth_token: "{{ vault_restate_token }}"
    fail_on: [degraded, critical]
    probe_services: true

- name: See how Restate is, as far as DALP tells
  dalp.restate.restate_doctor:
    backend: dalp
    dalp_url: https://your-platform.example.com
    dalp_api_key: "{{ vault_dalp_api_key }}"
"""

RETURN = r"""
healthy:
  description: Whether every component is V(ok) and no finding is critical.
  returned: when the server was asked
  type: bool
  sample: true
ingress:
  description:
    - Whether the ingress answers, at which C(url), and its C(latency_ms).
    - Of several nodes, C(nodes) tells the same of each by itself.
  returned: when the server was asked
  type: dict
  sample:
    status: ok
    latency_ms: 12
    url: http://n1.example.com:8080
    error: null
    nodes:
      - {url: "http://n1.example.com:8080", status: ok, latency_ms: 12, error: null}
      - {url: "http://n2.example.com:8080", status: ok, latency_ms: 14, error: null}
admin:
  description:
    - Whether the admin API answers, at which C(url), its C(latency_ms) and the server's C(version).
    - Where O(admin_url) names several nodes, C(nodes) tells the same of each by itself. A node that answers but cannot
      query the cluster is V(degraded), and what is shown comes from another node.
  returned: when the server was asked
  type: dict
  sample:
    status: ok
    latency_ms: 9
    version: 1.7.12
    url: http://n1.example.com:9070
    error: null
    nodes:
      - {url: "http://n1.example.com:9070", status: ok, latency_ms: 9, version: 1.7.12, error: null}
      - {url: "http://n2.example.com:9070", status: ok, latency_ms: 11, version: 1.7.12, error: null}
deployments:
  description:
    - The registered deployments under C(items), the oldest first.
    - C(state) is V(active) (the latest for a service), V(draining) or V(drained); it and C(pending_invocations) are
      there where the services and invocations could be read.
  returned: when the server was asked
  type: dict
  sample:
    status: ok
    items:
      - id: dp_11T20hDBm2yfWrx3B8cRlsd
        service_url: http://orders-v1:9080/
        created_at: "2026-11-22T18:02:06.320000000Z"
        services: [{name: OrderWorkflow, revision: 1}]
        state: draining
        pending_invocations: 2
    error: null
services:
  description: The latest revision of each service under C(items).
  returned: when the server was asked
  type: dict
  sample:
    status: ok
    items:
      - {name: OrderWorkflow, revision: 2, type: Workflow, deployment_id: dp_11bZz0x73F6lnmCz2TlAySl}
    error: null
invocations:
  description:
    - C(by_status) counts all invocations by Restate's raw status, C(by_activity) the unfinished ones by what they do.
    - C(recent_failures) are the 20 latest that failed for good (C(kind) V(terminal)), are being retried or are paused.
    - With O(backend=dalp) a failure has what DALP tells of it, such as C(status).
  returned: when the server was asked
  type: dict
  sample:
    status: ok
    by_status: {completed: 3, invoked: 1, paused: 1}
    by_activity: {backing-off: 1, paused: 1}
    recent_failures:
      - id: inv_193qodcX9tJp44poOi5MNQFkcV7ICJSpJu
        target: OrderWorkflow/order-1001/run
        service_name: OrderWorkflow
        service_key: order-1001
        kind: terminal
        failure: "[500] payment provider refused the card"
        failed_at: "2026-11-22T18:03:19.847Z"
        deployment_id: dp_11T20hDBm2yfWrx3B8cRlsd
    error: null
findings:
  description:
    - What an operator should know, the gravest first, each with a remedy that can be typed as it is. Findings and their
      subjects come in one order, whatever the order of the server's answers is. All are told in
      L(Findings,https://github.com/dalp/ansible-restate/blob/main/docs/findings.md).
  returned: when the server was asked
  type: list
  elements: dict
  sample:
    - code: FAILED_WORKFLOWS
      severity: warning
      component: invocations
      message: 1 workflow run failed for good.
      subjects: [OrderWorkflow/order-1001]
      remedy: >-
        ansible-playbook dalp.restate.recover_workflow --check --diff
        -e '{"restate_service_name": "OrderWorkflow", "restate_service_key": "order-1001"}'
# What modules have in common: scripts/return_docs.py writes it.
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
    type: dalp.restate.doctor.succeeded
    subject: http://localhost:9070
    datacontenttype: application/json
    data:
      attempt: a967b233-a959-4a3f-a131-fb8cc0e5c58b
      actor: release-bot
      operation: doctor
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
    "fail_on": {
        "type": "list",
        "elements": "str",
        "choices": ["unreachable", "degraded", "critical", "warning"],
        "default": [],
    },
    "probe_services": {"type": "bool", "default": False},
}


def backend(name: str) -> Backend:
    """Return how it is done with a backend; what another one needs is not imported."""
    if name == "dalp":
        from ..module_utils._operations.doctor import dalp

        return dalp.BACKEND
    from ..module_utils._operations.doctor import restate

    return restate.BACKEND


OPERATION = Operation("doctor", ARGUMENT_SPEC, backend, is_write=False)


def main() -> None:
    run(OPERATION)


if __name__ == "__main__":
    main()
