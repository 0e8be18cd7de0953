# Every target prints what it does; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

TARGET := $(shell rustc -vV | sed -n 's/^host: //p')
# Linux: one static file without relocations, so that the daemon starts fast and shares nothing it must copy.
STATIC := $(if $(findstring linux-gnu,$(TARGET)),-- -C target-feature=+crt-static -C relocation-model=static)
PREFIX ?= /usr/local
SEEDS ?= 10000
CROSS := aarch64-linux-gnu x86_64-macos aarch64-macos
MINUTES ?= 10
ZIG = $(or $(ZIG_FOUND),.tools/zig/ziglang/zig)
ZIG_CACHE := $(CURDIR)/.tools/zig-global-cache

.PHONY: help setup test-tools build demo bench test conformance quick it sim soak cross clean fmt install zig-test

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## install the pinned Zig into .tools
	@scripts/zig-bootstrap

test-tools: ## install the MCP clients, the conformance suite and what else tests use into .tools
	@scripts/test-tools

build: ## target/release/velos
	cargo rustc --release -p velos-cli --bin velos $(STATIC)

demo: build ## start the sample apps, look at them, clean up
	scripts/demo

fmt: ## format the Rust code
	cargo fmt

zig-test: setup ## unit tests of the Zig core
	cd zig && ../$(ZIG) fmt --check src build.zig
	cd zig && ../$(ZIG) build test --global-cache-dir $(ZIG_CACHE)

cross: setup ## the Zig core for the other Linux and for macOS: compiled and linked, not run
	cd zig && for target in $(CROSS); do \
		../$(ZIG) build install link-check -Dtarget=$$target --prefix ../target/cross/$$target --global-cache-dir $(ZIG_CACHE) || exit 1; \
	done

bench: build ## figures against PM2, supervisord and ripgrep, into docs/benchmarks.md
	cargo build --release -p velos-log-engine --example bench
	python3 bench/run.py --write docs/benchmarks.md

test: zig-test cross test-tools ## everything a contributor must pass
	cargo fmt --check
	cargo run -q -p velos-dev -- tidy
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test --workspace
	scripts/conformance --if-possible
	$(MAKE) sim

conformance: ## the official MCP conformance suite, both revisions
	@scripts/conformance

quick: ## under a minute: format, lints, unit tests, 2,000 seeds
	cargo fmt --check
	cargo run -q -p velos-dev -- tidy
	cargo clippy --workspace -- -D warnings
	cargo test --workspace --lib
	$(MAKE) sim SEEDS=2000

it: ## end-to-end tests only; T=name picks some
	cargo test -p velos-cli --test it $(T)

sim: ## simulate the supervisor; SEED=n replays one, SEEDS=n runs so many
	cargo run -q -p velos-sim -- $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

soak: ## simulate for MINUTES minutes, then as long with real processes and a daemon that is killed
	cargo run -q -p velos-sim -- --minutes $(MINUTES)
	VELOS_SOAK_SECONDS=$$(($(MINUTES) * 60)) cargo test -q -p velos-cli --test it soak:: -- --ignored --nocapture

install: build ## install into PREFIX
	install -D -m 0755 target/release/velos $(DESTDIR)$(PREFIX)/bin/velos

clean: ## remove what was built
	cargo clean
	rm -rf zig/.zig-cache zig/zig-out
