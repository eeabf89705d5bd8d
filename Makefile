# The two commands that matter: `make demo` and `make test`. Both install what they need (Debian, Ubuntu) and say so.

# Empty for root.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# How many runs `make crash` and `make torture` make, and which cases: the same seed makes the same ones.
RUNS ?= 1000
SEED ?= 1
# How many notices `make soak-notify` sends.
N ?= 1000

.PHONY: help demo demo-discord test check bench bench-chat bench-ssh crash torture soak-notify build install headers

help:
	@echo "make demo    a chat on a real PostgreSQL cluster, on this machine; 'make demo < script.txt' without a terminal"
	@echo "make demo-discord  two people on a Discord of its own fail that cluster over; it plays by itself, without a token"
	@echo "make test    every test, on real parts"
	@echo "make check   format, lints and documentation"
	@echo "make bench   what we are measured against, as ratios"
	@echo "make bench-ssh  the same for commands on many hosts, beside ansible and others"
	@echo "make bench-chat how long people wait on Discord, while nothing goes on and while 200 hosts work"
	@echo "make crash   kills the bot at every failpoint and at any moment, RUNS times (1000 if not said), SEED=1"
	@echo "make soak-notify N notices (1000 if not said) over paths that fail three times of ten, by a bot that is killed all the time"
	@echo "make torture kills what carries a step at random moments, RUNS times (1000 if not said)"

demo: install build
	@sh tests/lab/demo.sh

demo-discord: install build
	@sh tests/discord/demo.sh

# Shells that hosts have, what looks at the unit of systemd, a mail server with a certificate, and what sends alerts:
# its service is masked, so that it never starts by itself.
test: install headers
	@for shell in busybox zsh fish tcsh mksh; do command -v $$shell >/dev/null || $(SUDO) apt-get install --yes --no-install-recommends $$shell || exit; done
	@command -v systemd-analyze >/dev/null || $(SUDO) apt-get install --yes --no-install-recommends systemd
	@/usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null || $(SUDO) apt-get install --yes --no-install-recommends python3-aiosmtpd
	@command -v prometheus-alertmanager >/dev/null || { $(SUDO) ln -sf /dev/null /etc/systemd/system/prometheus-alertmanager.service && $(SUDO) apt-get install --yes --no-install-recommends prometheus-alertmanager; }
	@command -v openssl >/dev/null || $(SUDO) apt-get install --yes --no-install-recommends openssl
	cargo test --workspace --locked

check: headers
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --locked --quiet

# yamllint is what `check` is compared with.
bench: install
	@command -v yamllint >/dev/null || $(SUDO) apt-get install --yes --no-install-recommends yamllint
	cargo bench --locked --bench goals

bench-chat: install
	cargo bench --locked --bench goals -- chat

# With failpoints, so not as a release.
crash: install
	RUNS=$(RUNS) SEED=$(SEED) cargo bench --profile crash --locked --quiet --bench crash

# With failpoints, so not as a release.
soak-notify: headers
	N=$(N) SEED=$(SEED) cargo bench --profile crash --locked --quiet --bench soak

# What people use instead to run commands on many hosts; pyinfra is not in Debian, and comes into a folder of its own.
PYINFRA_HOME := target/pyinfra
bench-ssh: install
	@for program in clush parallel-ssh ansible-playbook; do command -v $$program >/dev/null || missing=1; done; \
	test -z "$$missing" && /usr/bin/python3 -c 'import fabric, ansible_mitogen' 2>/dev/null || \
	$(SUDO) apt-get install --yes --no-install-recommends clustershell pssh ansible-core ansible-mitogen python3-fabric python3-venv
	@test -x $(PYINFRA_HOME)/bin/pyinfra || { /usr/bin/python3 -m venv $(PYINFRA_HOME) && $(PYINFRA_HOME)/bin/pip --quiet install pyinfra==3.10.0; } || \
	echo "pyinfra cannot be had here; the other peers are compared."
	PYINFRA=$(CURDIR)/$(PYINFRA_HOME)/bin/pyinfra cargo bench --locked --bench goals -- ssh

torture: install
	cargo bench --locked --profile dev --bench torture -- $(RUNS)

build:
	@cargo build --workspace --locked --quiet

# Calls apt-get only if something is missing; no service starts, and no server appears on the machine.
install: toolchain headers
	@cargo lab install --run

# What the client of Discord is built with.
headers:
	@pkg-config --exists openssl 2>/dev/null || $(SUDO) apt-get install --yes --no-install-recommends libssl-dev pkg-config

toolchain:
	@command -v cargo >/dev/null || { echo "There is no cargo here. Next: install Rust, then run this again." >&2; exit 1; }
