# The two commands that matter: `make demo` and `make test`. Both install what they need (Debian, Ubuntu) and say so.

# Empty for root.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help demo test check bench torture build install

help:
	@echo "make demo    a chat on a real PostgreSQL cluster, on this machine; 'make demo < script.txt' without a terminal"
	@echo "make test    every test, on real parts"
	@echo "make check   format, lints and documentation"
	@echo "make bench   what we are measured against, as ratios"
	@echo "make torture kills what carries a step at random moments, RUNS times; 1000 if not said"

demo: install build
	@sh tests/lab/demo.sh

# Shells that hosts have.
test: install
	@for shell in busybox zsh fish tcsh mksh; do command -v $$shell >/dev/null || $(SUDO) apt-get install --yes --no-install-recommends $$shell || exit; done
	cargo test --workspace --locked

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --locked --quiet

# yamllint is what `check` is compared with.
bench: install
	@command -v yamllint >/dev/null || $(SUDO) apt-get install --yes --no-install-recommends yamllint
	cargo bench --locked --bench goals

torture: install
	cargo bench --locked --profile dev --bench torture -- $(or $(RUNS),1000)

build:
	@cargo build --workspace --locked --quiet

# Calls apt-get only if something is missing; no service starts, and no server appears on the machine.
install: toolchain
	@cargo lab install --run

toolchain:
	@command -v cargo >/dev/null || { echo "There is no cargo here. Next: install Rust, then run this again." >&2; exit 1; }
