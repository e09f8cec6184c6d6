# A thin face: each target is one command that can also be typed. `make doctor` says what this
# machine lacks.

DEMO_ARGS ?=
BENCH_ARGS ?=
SEEDS ?= 10000
MINUTES ?= 10
SEED ?= 1
TARGET ?= all
RUNS ?= 10000000
FAULTS ?=

.PHONY: demo test bench soak chaos fuzz doctor fix verify

demo: ## An election on three nodes, end to end
	@cargo xtask web
	cargo run --release --bin quorate -- demo $(DEMO_ARGS)

test: ## Everything; the last line counts passed, failed and skipped
	@cargo xtask install
	@cargo xtask test

bench: ## Comparisons, into target/bench/figures.jsonl (docs/benchmarks.md)
	cargo build --release --bin quorate --bin bench
	cargo run --release --bin bench -- $(BENCH_ARGS)

soak: ## SEEDS fresh simulator seeds (the first one is the time); all tampered archives
	cargo run --profile soak --package sim -- report --profile mixed --seeds $(SEEDS) --first-seed $$(date +%s)
	cargo run --release --package corpus -- check
	npm --prefix web ci --ignore-scripts && npm --prefix web run build && npm --prefix web --silent run corpus:all

chaos: ## Real processes under real faults: MINUTES=10 SEED=1 FAULTS=kill,partition,… (all)
	cargo build --release --bin quorate --bin chaos
	cargo run --release --bin chaos -- --minutes $(MINUTES) --seed $(SEED) $(if $(FAULTS),--faults $(FAULTS))
	cargo run --release --bin chaos -- --control no-fsync --seed $(SEED)
	cargo run --release --bin chaos -- --control stale-reads --seed $(SEED)

fuzz: ## Decoders under libFuzzer: TARGET=all RUNS=10000000 (docs/reliability.md)
	TARGET="$(TARGET)" RUNS=$(RUNS) fuzz/run.sh

doctor: ## What this machine has and lacks
	@cargo xtask doctor

fix: ## Format, take over what clippy can repair, then show what is left
	cargo fmt --all
	cargo clippy --fix --allow-dirty --allow-staged --workspace --all-targets
	@cargo xtask tidy

verify: ## make verify ARCHIVE=election.archive TRUST=election.archive.trust
	cargo run --release --bin quorate -- verify "$(ARCHIVE)" $(if $(TRUST),--trust "$(TRUST)")
