//! What this process uses, as Linux tells it under `/proc`; zero where there is no such thing.

use std::path::Path;

/// Clock ticks in a second, as the kernel counts processor time for programs; fixed since long.
const TICKS_PER_SECOND: f64 = 100.0;

/// Figures of this process and of its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Processor time since the start, seconds.
    pub cpu_seconds: f64,
    /// Resident memory, bytes.
    pub memory_bytes: u64,
    /// Space left where the data lie, bytes.
    pub disk_free_bytes: u64,
    /// Space there in all, bytes.
    pub disk_total_bytes: u64,
}

/// The figures now.
pub fn usage(data_dir: &Path) -> Usage {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let disk = rustix::fs::statvfs(data_dir).ok();
    let bytes = |blocks: u64| disk.as_ref().map_or(0, |disk| blocks.saturating_mul(disk.f_frsize));
    Usage {
        cpu_seconds: cpu_seconds(&stat).unwrap_or(0.0),
        memory_bytes: resident_pages(&statm).unwrap_or(0) * rustix::param::page_size() as u64,
        disk_free_bytes: bytes(disk.as_ref().map_or(0, |disk| disk.f_bavail)),
        disk_total_bytes: bytes(disk.as_ref().map_or(0, |disk| disk.f_blocks)),
    }
}

/// User and system time of `/proc/self/stat`: fields 14 and 15, counted behind the name, which may
/// hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: f64 = fields.nth(11)?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// The second field of `/proc/self/statm`.
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 5 0 1000 1 1";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("nonsense"), None);
        assert_eq!(resident_pages("1000 77 3"), Some(77));
    }

    #[test]
    fn this_process_uses_something() {
        let usage = usage(Path::new("/"));
        assert!(usage.memory_bytes > 0 && usage.disk_total_bytes >= usage.disk_free_bytes);
    }
}
