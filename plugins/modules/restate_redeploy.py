#!/usr/bin/python
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

# Mitogen takes a file for a module of Ansible by the words "from ansible.module_utils.", wherever they stand.

DOCUMENTATION = r"""
module: restate_redeploy
short_description: Register a release with Restate, or make an older one the latest again
version_added: 0.1.0
description:
  - Has Restate discover the services at O(service_url), and registers them where that changes something.
  - Registering an older URL that is still registered makes it the latest again. That is the rollback.
  - An overwrite keeps what the task does not mention, which Restate itself would erase, namely the headers, the
    metadata and the HTTP version of the registration. Settings that were made with C(PATCH /services) stay, also where
    a service moves to another deployment.
  - Check mode uses Restate's own dry run. The service must answer for it.
  - With O(backend=dalp) it is predicted from what DALP's doctor lists. A registered URL is then registered again with
    O(force=true) whether its code differs or not, and left as it is without.
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
      - Where the Restate server reaches the service.
      - A registered URL is recognised by its host, port and path; a trailing slash, a default port and the scheme make
        no difference.
      - Restate calls the address that it was given. If the scheme differs from the registered one, the services are
        discovered by the new scheme, and the registration is overwritten.
      - Where the server has routing headers, several deployments can be at one URL. Then O(additional_headers) says
        which is meant, and the server which of them it would overwrite.
    type: str
    required: true
  force:
    description:
      - Whether a registered deployment may be overwritten where it differs or is not the latest of its services.
      - A deployment whose removal timed out is not used until O(write_grace) has passed since then. The server may
        still remove it, with what was registered there meanwhile.
    type: bool
    default: true
  breaking:
    description: Whether a service may change its type. By default V(false). Not with O(backend=dalp).
    type: bool
  use_http_11:
    description: Whether to speak HTTP/1.1 to the service. By default what is registered, else HTTP/2.
      Not with O(backend=dalp).
    type: bool
  additional_headers:
    description:
      - Headers that Restate sends with each request to the service. By default what is registered. Which of them are
        secret is told as with O(headers).
      - An empty dictionary removes them.
      - Not with O(backend=dalp).
    type: dict
  metadata:
    description: Metadata of the deployment, from Restate 1.6. By default what is registered. Not with O(backend=dalp).
    type: dict
  settings:
    description:
      - What becomes of settings that were made with C(PATCH /services), and that Restate resets with each registration.
        By default V(keep).
      - V(keep) sets them again just after the registration. They are those in force that differ from what the code
        says of the deployment that is the latest so far; where that code is gone, or does not answer discovery, all
        that differ from the code of the release. For a moment in between the code's are in force.
      - V(code) takes those of the code.
      - Not with O(backend=dalp), where Restate resets them.
    type: str
    choices: [keep, code]
  allow_service_removal:
    description:
      - Whether a service or handler may go that has unfinished work, which then fails with every attempt until
        something serves it again. By default V(false).
      - With O(backend=dalp), which does not tell of it, the route registers whatever is offered.
    type: bool
  wait_timeout:
    description:
      - How long to wait for the service to answer discovery, in seconds, in check mode too; and for the server to list
        the new deployment as the latest.
      - With O(backend=dalp), for DALP's doctor to list the new deployment.
    type: int
    default: 60
seealso:
  - module: dalp.restate.restate_cleanup
  - name: Error codes
    description: What each code means, and what to do.
    link: https://github.com/dalp/ansible-restate/blob/main/docs/error-codes.md
"""

EXAMPLES = r"""
- name: Register the release
  dalp.restate.restate_redeploy:
    admin_url: http://restate:9070
    service_url: http://orders-v2:9080

- name: Go back to the release before
  dalp.restate.restate_redeploy:
    admin_url: http://restate:9070
    service_url: http://orders-v1:9080
    reason: orders-v2 refuses all cards

- name: Register the release through DALP
  dalp.restate.restate_redeploy:
    backend: dalp
    dalp_url: https://your-platform.example.com
    dalp_api_key: "{{ vault_dalp_api_key }}"
    service_url: http://orders-v2:9080
"""

RETURN = r"""
deployment:
  description:
    - What the service offers, and the versions of the service protocol that its SDK speaks; with O(backend=dalp) its
      C(service_url) only.
    - In check mode O(dalp.restate.restate_cleanup#module:assume_registered) takes it.
    - C(beside) is there where the URL has other deployments, by their ids, which routing headers tell apart.
  returned: when discovery answered
  type: dict
  sample:
    service_url: http://orders-v2:9080
    services:
      - name: OrderWorkflow
        type: Workflow
        handlers: [{name: run, type: Workflow}, {name: status, type: Shared}]
    min_protocol_version: 5
    max_protocol_version: 7
    beside: [dp_16HBpURoy77XmGSYT6UtIIh]
deployment_id:
  description: The id of the deployment; absent in a dry run of one that is not registered yet.
  returned: when it is known
  type: str
  sample: dp_11bZz0x73F6lnmCz2TlAySl
steps:
  description: The write calls of the plan, in their order; the same in check mode.
  returned: when a plan could be made
  type: list
  elements: dict
  sample:
    - {action: register, service_url: "http://orders-v2:9080"}
  contains:
    action:
      description: V(register), V(overwrite), or V(apply_settings) for settings that the registration resets.
      type: str
      returned: always
    service_url:
      description: The URL that is registered.
      type: str
      returned: with V(register) and V(overwrite)
    service:
      description: The service whose settings they are.
      type: str
      returned: with V(apply_settings)
    settings:
      description: The settings, under Restate's own names.
      type: dict
      returned: with V(apply_settings)
retry_after:
  description: From when a deployment can be used again whose removal was not answered, and may be carried out late.
  returned: when the task is refused for that (C(reason) V(write_in_doubt))
  type: str
  sample: "2026-11-22T18:42:01.512Z"
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
  sample: redeploy,1,0db5274da4a7f5a10c5a3ad9ee6d10c1,http://orders-v2:9080=register:5cf1a0b3e2
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
    type: dalp.restate.redeploy.succeeded
    subject: http://orders-v2:9080
    datacontenttype: application/json
    data:
      attempt: a967b233-a959-4a3f-a131-fb8cc0e5c58b
      actor: release-bot
      operation: redeploy
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
    "force": {"type": "bool", "default": True},
    "breaking": {"type": "bool"},
    "use_http_11": {"type": "bool"},
    "additional_headers": {"type": "dict", "no_log": True},
    "metadata": {"type": "dict"},
    "settings": {"type": "str", "choices": ["keep", "code"]},
    "allow_service_removal": {"type": "bool"},
    "wait_timeout": {"type": "int", "default": 60},
}


def backend(name: str) -> Backend:
    """Return how it is done with a backend; what another one needs is not imported."""
    if name == "dalp":
        from ..module_utils._operations.redeploy import dalp

        return dalp.BACKEND
    from ..module_utils._operations.redeploy import restate

    return restate.BACKEND


OPERATION = Operation("redeploy", ARGUMENT_SPEC, backend)


def main() -> None:
    run(OPERATION)


if __name__ == "__main__":
    main()
