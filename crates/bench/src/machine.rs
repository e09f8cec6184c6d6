//! What else there is to know to read the figures: cores and how busy they were.

use std::fmt;

use crate::failure::Failure;
use crate::figures::Figure;

/// Above this the figures of a run say more about the other programs than about ours.
const BUSY: f64 = 1.5;

/// The machine at the start of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    cores: usize,
    load_average: f64,
}

impl Machine {
    pub(crate) fn now() -> Result<Self, Failure> {
        let cannot = "cannot read /proc/loadavg";
        let text = std::fs::read_to_string("/proc/loadavg").map_err(Failure::because(cannot))?;
        let load_average = parse_load_average(&text)
            .ok_or_else(|| Failure::new(format!("{cannot}: it holds `{}`", text.trim())))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { cores, load_average })
    }

    /// For the person in front of it, when somebody else uses the machine.
    pub(crate) fn warning(&self) -> Option<String> {
        (self.load_average > BUSY).then(|| {
            format!(
                "warning: the machine is busy (load average {:.1}): only figures per CPU second, \
                 and ratios of runs in alternation, mean anything, and they little",
                self.load_average
            )
        })
    }

    pub(crate) fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::new("machine.cores", self.cores as f64, "cores"),
            Figure::new("machine.load_average", self.load_average, "at start, 1 min"),
        ]
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "machine: {} cores, load average {:.2}", self.cores, self.load_average)
    }
}

/// The first field: runnable and waiting tasks, averaged over a minute.
fn parse_load_average(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok().filter(|load: &f64| load.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_averages() {
        assert_eq!(parse_load_average("7.40 10.93 10.82 5/312 4242\n"), Some(7.4));
        assert_eq!(parse_load_average(""), None);
        assert_eq!(parse_load_average("nan 1 1"), None);
    }

    #[test]
    fn a_busy_machine_is_said_to_be() {
        let machine = |load_average| Machine { cores: 2, load_average };
        assert_eq!(machine(1.5).warning(), None);
        let warning = machine(7.4).warning().expect("busy");
        assert!(warning.contains("load average 7.4"), "{warning}");
    }
}
