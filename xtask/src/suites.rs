//! What the gate runs beside `cargo test`, as a table.

/// One suite: a command whose exit status decides, counted as one test, or, when its last line
/// reads `N passed, N failed, N skipped`, as those.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// Programs it needs; without one of them the suite is counted as skipped, never as passed.
    pub(crate) needs: &'static [&'static str],
    pub(crate) command: &'static [&'static str],
}

/// In this order, after `cargo test`.
pub(crate) const SUITES: &[Suite] = &[Suite {
    name: "formatting",
    needs: &["rustfmt"],
    command: &["cargo", "fmt", "--all", "--check"],
}];
