#!/usr/bin/env bash
# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes a release: its version in galaxy.yml and in the first steps, its notes from the fragments, its tarball, and a
# look at that in a virtual environment which holds nothing else. What is left to a person is printed at the end.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=${1:-}
if [[ ! $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
  echo "Say which version: make release VERSION=1.2.3" >&2
  exit 1
fi

fragments=$(compgen -G 'changelogs/fragments/*.yml' || true)
if [[ ! $fragments ]] && ! grep -q "^  $version:" changelogs/changelog.yaml; then
  echo "There are no notes of $version: write a fragment into changelogs/fragments. Nothing was changed." >&2
  exit 1
fi

sed -i.before "s/^version: .*/version: $version/" galaxy.yml
# The first steps name what is installed.
IFS=. read -r major minor _ <<<"$version"
sed -i.before -e "s/dalp-restate-[0-9.]*\.tar\.gz/dalp-restate-$version.tar.gz/" \
  -e "s/version: \">=[^\"]*\"/version: \">=$version,<$major.$((minor + 1)).0\"/" docs/quickstart.md
rm galaxy.yml.before docs/quickstart.md.before
if [[ $fragments ]]; then
  antsibull-changelog release --update-existing
fi

scripts/galaxy_import.sh .build/release
scripts/verify_tarball.sh .build/release/dalp-restate-"$version".tar.gz

cat <<END
.build/release/dalp-restate-$version.tar.gz is built and verified. What is left:
  git commit -am "Release $version" && git tag v$version && git push origin main v$version
END
