#!/usr/bin/env bash
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs a tarball as a user does, where nothing else is installed, and looks whether it is whole and works.

set -euo pipefail

tarball=$(realpath "${1:?which tarball}")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"

core=$(ansible --version | sed -n '1s/.*core \([0-9.]*\).*/\1/p')
python -m venv clean
uv pip install --quiet --python clean/bin/python "ansible-core==$core"
export ANSIBLE_COLLECTIONS_PATH=$place/collections ANSIBLE_HOME=$place/home
unset ANSIBLE_CONFIG
PATH=$place/clean/bin:$PATH

ansible-galaxy collection install "$tarball" -p collections
ansible-galaxy collection verify --offline dalp.restate
uv pip install --quiet --python clean/bin/python -r collections/ansible_collections/dalp/restate/requirements/runtime.txt
for module in collections/ansible_collections/dalp/restate/plugins/modules/*.py; do
  ansible-doc "dalp.restate.$(basename "$module" .py)" > /dev/null
done

# No engine is needed to see that a playbook, its roles and a module work: the module says that there is none.
if ansible-playbook -i localhost, -c local -e "ansible_python_interpreter=$place/clean/bin/python" \
    -e restate_admin_url=http://127.0.0.1:9 -e restate_retries=0 dalp.restate.doctor > playbook.log 2>&1; then
  cat playbook.log
  echo "The doctor found an engine where none is." >&2
  exit 1
fi
grep -q RESTATE_ADMIN_UNREACHABLE playbook.log || { cat playbook.log; exit 1; }
echo "$(basename "$tarball") installs, verifies, documents itself and runs."
