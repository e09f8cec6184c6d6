//! Standard output, whose reader may have gone away.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// As the standard library's, but a reader that has gone away (`quorate … | head`) is no panic.
macro_rules! print {
    ($($what:tt)*) => { $crate::say::out(format_args!($($what)*)) };
}

/// As the standard library's, but a reader that has gone away (`quorate … | head`) is no panic.
macro_rules! println {
    () => { $crate::say::out(format_args!("\n")) };
    ($($what:tt)*) => {
        $crate::say::out(format_args!("{}\n", format_args!($($what)*)))
    };
}

/// Writes to standard output. What nobody reads is dropped, so that the command still does all its
/// work and ends with its own code; what cannot be written for another reason is said.
pub(crate) fn out(what: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_fmt(what)
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = writeln!(std::io::stderr(), "cannot write to standard output: {error}");
    }
}
