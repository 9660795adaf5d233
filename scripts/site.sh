#!/usr/bin/env bash
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds the documentation site in .build/site/html: the pages of docs/, and those of the modules and roles. A warning is
# an error.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

site=.build/site
repository=https://github.com/dalp/ansible-restate/blob/main
rm -rf "$site"
mkdir -p "$site/docs/reference"
# antsibull-docs writes only where nobody else can
chmod go-w "$site/docs/reference"
cp -R docs/*.md docs/*.json docs/*.yaml docs/images "$site/docs"
cp CHANGELOG.md "$site/docs/changelog.md"
# What stands beside docs/ is on the site, or in the repository.
sed -i.before -e 's#](\.\./CHANGELOG\.md#](changelog.md#' -e "s#](\.\./#]($repository/#" "$site"/docs/*.md
rm "$site"/docs/*.before
antsibull-docs --config-file docs/docsite/antsibull-docs.cfg collection --use-current --squash-hierarchy \
  --fail-on-error --dest-dir "$site/docs/reference" dalp.restate
# The variables of modules are on their pages; this one would be empty.
rm "$site/docs/reference/environment_variables.rst"
# What the modules and roles say of the pages leads to those of the site.
sed -i.before "s#$repository/docs/\([a-z-]*\)\.md#../\1.html#g" "$site"/docs/reference/*.rst
rm "$site"/docs/reference/*.before
sphinx-build -c docs/docsite -b html -W --keep-going --quiet -j auto "$site/docs" "$site/html"
echo "The site is in $site/html/index.html."
