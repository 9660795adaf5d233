# Everything works in a bare clone with python3 (3.11 to 3.13), npm and make: .venv and .build are made when they are
# missing, and nothing is written outside the repository. The second time, the setup costs nothing.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
# another ansible-core than that of requirements/dev.txt, such as 2.21
ANSIBLE_CORE ?=
# where another Python or ansible-core is asked for than .venv has, it is made anew
STAMP := .venv/.stamp$(subst /,-,$(filter-out python3,$(PYTHON)))$(ANSIBLE_CORE)
BIN := $(CURDIR)/.venv/bin
TREE := .build/collections/ansible_collections/dalp/restate
SANDBOX_CACHE ?= $(CURDIR)/.build/restate

export SANDBOX_CACHE
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.build/collections
# ansible-lint makes directories there, and does not read this from the configuration
export ANSIBLE_HOME := $(CURDIR)/.build/ansible
export ANSIBLE_CONFIG := $(CURDIR)/scripts/ansible.cfg
export GALAXY_IMPORTER_CONFIG := $(CURDIR)/scripts/galaxy-importer.cfg

# nobody's tests or demo must reach the engine, the DALP or the inventory that a user's shell is set up for
unexport PYTHONPATH PYTHONHOME $(filter-out ANSIBLE_HOME ANSIBLE_CONFIG ANSIBLE_COLLECTIONS_PATH GALAXY_IMPORTER_CONFIG, \
	$(filter ANSIBLE_% DALP_% RESTATE_% GALAXY_IMPORTER_%,$(.VARIABLES)))

# Ansible refuses to run in any other encoding
UTF8 := $(firstword $(filter C.UTF-8 C.utf8 en_US.UTF-8 en_US.utf8,$(shell locale -a 2>/dev/null)))
ifneq ($(UTF8),)
export LC_ALL := $(UTF8)
endif

# the tools of .venv before those of the user, for what the tools start, too
IN_VENV := PATH="$(BIN):$$PATH"

.PHONY: help
help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

.PHONY: demo
demo: setup ## run the release and recovery runbooks on a real Restate, with planted trouble, and stop everything again; DEMO_ALL=1 shows all
	$(IN_VENV) python roles/sandbox/files/sandbox.py run --plant-unreleased -- scripts/demo.sh

.PHONY: test
test: lint unit docs-test integration molecule ## lint, then all tests (unit, site, integration and molecule)

# A process of its own: the unit tests import the collection as Python does, these as Ansible does.
# Two at once, each with servers of its own, since much of a test is waiting.
.PHONY: integration
integration: setup ## the tests against real Restate servers, but for those that take long (make thorough)
	$(IN_VENV) python -m pytest tests/integration --numprocesses 2 --dist worksteal

# Two at once; what a scenario printed is shown where it failed.
.PHONY: molecule
molecule: setup ## each role and runbook on a sandbox: a dry run that changes nothing, the run, again, and a look
	@ls extensions/molecule/*/molecule.yml | cut -d/ -f3 | $(IN_VENV) NO_COLOR=1 xargs -P 2 -I NAME bash -c \
		'if molecule test -s NAME > .build/molecule-NAME.log 2>&1; then echo "molecule: NAME passed"; \
		else cat .build/molecule-NAME.log; echo "molecule: NAME FAILED"; exit 1; fi'

.PHONY: unit
unit: setup ## the quick tests
	$(IN_VENV) python -m pytest tests/unit --numprocesses 2 --dist worksteal

# Where there is no Chromium, the tests say so and are skipped. The pictures stay in .build/look.
.PHONY: look
look: setup ## look at the pages in headless Chromium (CHROMIUM=path for another one): two widths, dark and light, axe's rules
	$(IN_VENV) python -m pytest tests/look -rs

.PHONY: benchmark
benchmark: setup ## what tasks cost beside other ways of doing the same; with BENCHMARK='--keys 100 --only doctor', a part
	$(IN_VENV) python tests/benchmark/benchmark.py $(BENCHMARK)

.PHONY: thorough
thorough: setup awx-collection ## all tests against real Restate servers, also those that take long, on all versions
	$(IN_VENV) python -m pytest tests/integration --thorough --numprocesses 2 --dist worksteal

.PHONY: both-ways
both-ways: setup awx-collection ## the same, each task in process and as a module
	$(IN_VENV) python -m pytest tests/integration --thorough --both-ways --numprocesses 2 --dist worksteal

.PHONY: proof
proof: both-ways ## all tests both ways; then kill nodes of a cluster and break its network in the middle of tasks, and look for what is lost or said wrongly; with PROOF='--kills 10 --faults 10', fewer
	$(IN_VENV) python tests/proof/proof.py $(PROOF)

.PHONY: worlds
worlds: setup ## random tasks in random worlds: dry, real and again, in process and as modules; with WORLDS='--worlds 300 --seed N', or '--only SEED' for one
	$(IN_VENV) python tests/worlds/worlds.py $(WORLDS)

# Two at once, the longest first; what one printed is shown where it failed.
LINTS := ansible-lint sanity galaxy mypy docs-lint ruff licences changelog-lint
.PHONY: lint
lint: setup awx-collection ## all static checks
	@printf '%s\n' $(LINTS) | xargs -P 2 -I NAME bash -c \
		'if $(MAKE) NAME > .build/lint-NAME.log 2>&1; then echo "lint: NAME passed"; \
		else cat .build/lint-NAME.log; echo "lint: NAME FAILED"; exit 1; fi'

.PHONY: ruff
ruff: setup ## style and formatting of the Python code
	$(IN_VENV) ruff check
	$(IN_VENV) ruff format --check

.PHONY: mypy
mypy: setup ## types
	$(IN_VENV) mypy

.PHONY: ansible-lint
ansible-lint: setup awx-collection ## roles, playbooks and all other YAML (includes yamllint)
	$(IN_VENV) ansible-lint

.PHONY: sanity
sanity: setup ## ansible-test sanity, on the Python of .venv
	$(IN_VENV) scripts/sanity.sh

.PHONY: licences
licences: setup ## whether each file says its licence (REUSE)
	$(IN_VENV) reuse lint --lines

.PHONY: changelog-lint
changelog-lint: setup ## the fragments of the changelog, and what was made of them
	$(IN_VENV) antsibull-changelog lint
	$(IN_VENV) antsibull-changelog lint-changelog-yaml --strict changelogs/changelog.yaml

.PHONY: docs-lint
docs-lint: setup ## the documentation of modules, roles and lookups, and the links of the site
	$(IN_VENV) antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs all \
		--disallow-unknown-collection-refs .

.PHONY: galaxy
galaxy: setup ## what Galaxy's importer says of the tarball
	$(IN_VENV) scripts/galaxy_import.sh .build/galaxy

.PHONY: format
format: setup ## format the Python code and repair what ruff can repair
	$(IN_VENV) ruff check --fix
	$(IN_VENV) ruff format

.PHONY: docs
docs: setup ## the documentation site, in .build/site/html
	$(IN_VENV) scripts/site.sh

.PHONY: docs-test
docs-test: docs ## the site, and whether its links lead somewhere
	$(IN_VENV) python -m pytest tests/site/test_site.py

.PHONY: docs-pictures
docs-pictures: docs ## pictures of the site at two widths, in .build/site/pictures; without Chromium they are skipped
	$(IN_VENV) python -m pytest tests/site/test_in_chromium.py

.PHONY: docs-errors
docs-errors: setup ## write docs/error-codes.md from the code
	PYTHONPATH=.build/collections $(BIN)/python scripts/error_codes_page.py

.PHONY: docs-outputs
docs-outputs: setup ## run the commands of the guides on real Restate servers, and write into the guides what they show of the outputs
	$(IN_VENV) python -m pytest tests/integration/test_guides.py -k command_of_a_guide --write-outputs

.PHONY: docs-return
docs-return: setup ## write into the modules what the documentation of their results has in common
	$(BIN)/python scripts/return_docs.py

.PHONY: audit-schema
audit-schema: setup ## write docs/audit-record.schema.json from the code
	PYTHONPATH=.build/collections $(BIN)/python scripts/audit_schema.py > docs/audit-record.schema.json

.PHONY: awx-collection
awx-collection: setup ## take the collection awx.awx, with which the tests apply the role awx, out of the package ansible
	$(BIN)/python scripts/awx_collection.py

.PHONY: awx-surveys
awx-surveys: setup ## write extensions/awx/surveys.yml, what AWX asks, from what the modules say of their options
	PYTHONPATH=.build/collections $(BIN)/python scripts/awx_surveys.py

.PHONY: requirements
requirements: setup ## compile requirements/dev.in into dev.txt; with UPGRADE=--upgrade, to the newest versions
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --custom-compile-command 'make requirements' \
		$(UPGRADE) requirements/dev.in --output-file requirements/dev.txt

.PHONY: changelog
changelog: setup ## put the fragments into the notes of the version that galaxy.yml names
	$(IN_VENV) antsibull-changelog release --update-existing

.PHONY: release
release: setup ## with VERSION=1.2.3: its notes, its tarball, and a look at it in a clean environment
	$(IN_VENV) scripts/release.sh $(VERSION)

.PHONY: clean
clean: ## remove all that make has made
	rm -rf .venv .build .ansible tests/output
	find . -type d \( -name __pycache__ -o -name '.*_cache' \) -prune -exec rm -rf {} +

.PHONY: setup
setup: $(STAMP) $(TREE)

$(STAMP): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' $<)"
	$(BIN)/uv pip sync --quiet --python $(BIN)/python $<
	$(if $(ANSIBLE_CORE),$(BIN)/uv pip install --quiet --python $(BIN)/python 'ansible-core==$(ANSIBLE_CORE).*')
	@touch $@

# The repository under the name by which Ansible, pytest and mypy find a collection
$(TREE):
	@mkdir -p $(@D)
	@ln -sfn ../../../.. $@
