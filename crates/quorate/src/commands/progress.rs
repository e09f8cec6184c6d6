//! Progress bars, only where somebody looks: on a pipe or in a file there are none.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// A bar on standard output; hidden unless that is a terminal.
pub(crate) fn bar_on_stdout(what: &'static str) -> ProgressBar {
    let is_seen = std::io::stdout().is_terminal();
    bar(what, is_seen.then(ProgressDrawTarget::stdout))
}

/// A bar on standard error; hidden unless that is a terminal.
pub(crate) fn bar_on_stderr(what: &'static str) -> ProgressBar {
    let is_seen = std::io::stderr().is_terminal();
    bar(what, is_seen.then(ProgressDrawTarget::stderr))
}

fn bar(what: &'static str, target: Option<ProgressDrawTarget>) -> ProgressBar {
    let target = target.unwrap_or_else(ProgressDrawTarget::hidden);
    let style = ProgressStyle::with_template("{msg:<24} {wide_bar} {pos}/{len}  {elapsed}")
        .expect("the template is well-formed");
    ProgressBar::with_draw_target(Some(0), target).with_style(style).with_message(what)
}
