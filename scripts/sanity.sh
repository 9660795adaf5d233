#!/usr/bin/env bash
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ansible-test sanity on the working tree, uncommitted work included, on the Python that runs ansible-test.
# Needs .venv (`make setup`). Arguments are passed on: `scripts/sanity.sh --test import`.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$PWD
export PATH=$root/.venv/bin:$PATH
tree=$root/.build/sanity/ansible_collections/dalp/restate
home=$root/.build/sanity-home

# ansible-test wants a directory that is really called ansible_collections/dalp/restate and lists its files through
# git: a repository of its own, whose index is filled from here and checked out there. Ignored files stay behind, and
# only what has changed is copied.
git() { env -u GIT_DIR -u GIT_WORK_TREE -u GIT_INDEX_FILE git "$@"; }
[ -d "$tree/.git" ] || git init --quiet "$tree"
git --git-dir="$tree/.git" --work-tree="$root" add --all
git -C "$tree" checkout-index --all --force
git -C "$tree" clean -d --force --quiet

# A home of its own keeps the tests' virtual environments between runs, and whatever the user's home holds out of them.
if [ ! "$home/.primed" -nt .venv/pyvenv.cfg ]; then
  HOME=$home python scripts/sanity_home.py
  touch "$home/.primed"
fi

cd "$tree"
# ansible-lint has looked at the YAML and ruff at the style; the others need more than one Python brings
HOME=$home ansible-test sanity --local --python "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" \
  --skip-test pep8 --skip-test pslint --skip-test pylint --skip-test shellcheck --skip-test yamllint \
  --color no "$@"
