#!/usr/bin/env bash
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# An operator's evening, on the sandbox that `make demo` has started: RESTATE_ADMIN_URL and RESTATE_INGRESS_URL are
# its Restate, SANDBOX_RELEASE_1_URL is registered, and SANDBOX_RELEASE_2_URL serves a release that nobody registered.

set -euo pipefail

: "${RESTATE_ADMIN_URL:?start this through make demo}" "${SANDBOX_RELEASE_2_URL:?start this through make demo}"

say() {
  printf '\n\033[1m== %s\033[0m\n' "$*"
}

# With DEMO_ALL=1 everything that Ansible prints, else the summaries.
run() {
  printf '\n$ %s\n' "${*@Q}" | sed "s/'\([A-Za-z0-9_.:/=+-]*\)'/\1/g"
  if [[ ${DEMO_ALL:-} ]]; then
    "$@"
    return
  fi
  local printed
  printed=$("$@" 2>&1) || {
    printf '%s\n' "$printed"
    return 1
  }
  sed -n '/ : Summary\]/,/^PLAY RECAP/p' <<<"$printed" | grep -v -e '^TASK ' -e '^PLAY RECAP' -e 'ok: \[' -e '^$'
}

if [[ -t 1 ]]; then
  export ANSIBLE_FORCE_COLOR=1
fi

release=(ansible-playbook dalp.restate.release -e "restate_service_url=$SANDBOX_RELEASE_2_URL"
  -e restate_force_drain=true -e restate_drain_timeout=5 -e restate_migrate_paused=true -e restate_keep_revisions=0)
recovery=(ansible-playbook dalp.restate.recover_workflow
  -e restate_service_name=OrderWorkflow -e restate_service_key=order-1001)

say "What is wrong? The doctor only reads."
run ansible-playbook dalp.restate.doctor

say "What would a release do? A dry run of the whole runbook; nothing is registered or removed."
run "${release[@]}" --check

say "The release: register it, move the work that still runs on the old one, remove the old one (none is kept for a rollback)."
run "${release[@]}"

say "A failed workflow blocks its key. What would a recovery do?"
run "${recovery[@]}" --check

say "The recovery: the key is free for a fresh start."
run "${recovery[@]}"

say "And now?"
run ansible-playbook dalp.restate.doctor
