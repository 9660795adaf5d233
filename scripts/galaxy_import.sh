#!/usr/bin/env bash
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds the tarball in a directory, and has Galaxy's importer look at it: an error or a warning of his is a failure.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

directory=${1:?where to build}
rm -rf "$directory"
mkdir -p "$directory"
ansible-galaxy collection build --output-path "$directory"
cd "$directory"
if ! python -m galaxy_importer.main dalp-restate-*.tar.gz > importer.log 2>&1 || grep -E '^(ERROR|WARNING)' importer.log; then
  cat importer.log
  exit 1
fi
