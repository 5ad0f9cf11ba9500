SHELL := /bin/bash
.DEFAULT_GOAL := help
# Which e2e scenarios run: all that find their component, unless named, e.g. `make e2e ONLY=proxy-soak`
ONLY ?=

help: ## what each target does
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

node_modules: package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch node_modules

build: node_modules ## compile every package and program
	npx tsc -b

demo: build ## the main job on embedded parts: rotations under load, the rogue, the legacy application, a CA rollover
	node apps/cli/dist/main.js demo

test: build ## install, build, lint, unit and scenario tests
	npx biome check .
	npx vitest run

check: test ## everything CI runs short of e2e: tests, unused code, package contents
	npx knip
	bash test/packages.sh

e2e-setup: ## install the real components that the e2e scenarios use
	bash e2e/setup/install.sh

e2e: build ## scenarios with real components; each absent component is reported as skipped
	npx vitest run --config e2e/vitest.config.ts $(ONLY)

bench: build ## side-by-side measurements; writes bench/results
	node --import tsx bench/run.ts $(ONLY)

clean: ## remove what the other targets made
	rm -rf node_modules coverage bench/results packages/*/dist apps/*/dist

.PHONY: help build demo test check e2e-setup e2e bench clean
