//! What the gate runs beside `cargo test`, as a table.

/// One suite: a command whose exit status decides, counted as one test, or, when its last line
/// reads `N passed, N failed, N skipped`, as those.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// Programs it needs; without one of them the suite is counted as skipped, never as passed.
    pub(crate) needs: &'static [&'static str],
    /// Words between blanks; no shell.
    pub(crate) command: &'static str,
}

/// In this order, after `cargo test`. The simulator has its seeded bugs built in, so that one
/// build serves all its suites; a run without `--mutant` has none.
pub(crate) const SUITES: &[Suite] = &[
    Suite { name: "formatting", needs: &["rustfmt"], command: "cargo fmt --all --check" },
    Suite {
        name: "fuzzing, its lock file",
        needs: &[],
        command: "cargo fetch --locked --manifest-path fuzz/Cargo.toml",
    },
    Suite {
        name: "simulator, 2000 seeds",
        needs: &[],
        command: "cargo run --release -p sim --features mutants -- run --profile mixed \
                  --seeds 2000",
    },
    Suite {
        name: "simulator, seeded bugs",
        needs: &[],
        command: "cargo run --release -p sim --features mutants -- mutants --seeds 500 \
                  --first-seed 101",
    },
    Suite {
        name: "consensus, every order of events in small worlds",
        needs: &[],
        command: "cargo run --release -p sim --features mutants -- explore --states 300000",
    },
    Suite {
        name: "HTTP API against its document",
        needs: &["python3"],
        command: "python3 spec/fuzz_api.py",
    },
    Suite {
        name: "simulator, elections",
        needs: &[],
        command: "cargo run --release -p sim --features mutants -- voting --seeds 24",
    },
    Suite {
        name: "web: cryptography and second verifier",
        needs: &["node", "npm"],
        command: "npm --prefix web --silent run gate",
    },
    Suite {
        name: "web: pages in a browser, at real clusters",
        needs: &["node", "npm", "chromium"],
        command: "npm --prefix web --silent run e2e",
    },
    Suite {
        name: "tampered archives, verifier in Rust",
        needs: &[],
        command: "cargo run --release -p corpus -- --sample 360 check",
    },
    Suite {
        name: "tampered archives, verifier in TypeScript",
        needs: &["node", "npm"],
        command: "npm --prefix web --silent run corpus",
    },
];
