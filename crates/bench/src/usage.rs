//! What server processes used, as the kernel counts it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::failure::Failure;

/// Unit of the times in `/proc/<pid>/stat`: fixed at 100 on every architecture that we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The unit of `st_blocks`, whatever the file system's own block is.
const BLOCK_BYTES: u64 = 512;

/// What a group of processes used since they started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// User and system time, all processes.
    pub(crate) cpu_seconds: f64,
    /// The most memory that any single one of them ever held.
    pub(crate) peak_bytes: u64,
}

impl Usage {
    /// The peak in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        self.peak_bytes as f64 / f64::from(1 << 20)
    }

    pub(crate) fn of(processes: &[u32]) -> Result<Self, Failure> {
        let mut all = Self::default();
        for process in processes {
            let one = Self::of_one(*process)?;
            all.cpu_seconds += one.cpu_seconds;
            all.peak_bytes = all.peak_bytes.max(one.peak_bytes);
        }
        Ok(all)
    }

    fn of_one(process: u32) -> Result<Self, Failure> {
        let read = |file: &str| {
            let path = format!("/proc/{process}/{file}");
            std::fs::read_to_string(&path).map_err(Failure::because(format!("cannot read {path}")))
        };
        let unknown = |file: &str| Failure::new(format!("/proc/{process}/{file} has another form"));
        let ticks = cpu_ticks(&read("stat")?).ok_or_else(|| unknown("stat"))?;
        let status = read("status")?;
        let peak_kib = field(&status, "VmHWM").ok_or_else(|| unknown("status"))?;
        let cpu_seconds = ticks as f64 / TICKS_PER_SECOND;
        Ok(Self { cpu_seconds, peak_bytes: peak_kib * 1024 })
    }
}

/// User and system time in ticks: the 14th and 15th field of `stat`. The second is the program's
/// name in parentheses, which may hold spaces and parentheses itself.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

/// The number in the line `name: NUMBER …`.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

/// What the device that holds `folder` has written since the machine started, for all programs;
/// `None` when the folder lies on no single device.
///
/// `write_bytes` of `/proc/<pid>/io` would leave other programs out, but counts a whole folio,
/// which may be a mebibyte, for each sector written to it.
pub(crate) fn device_written_bytes(folder: &Path) -> Option<u64> {
    let device = std::fs::metadata(folder).ok()?.dev();
    sectors_written(&std::fs::read_to_string("/proc/diskstats").ok()?, device)
        .map(|sectors| sectors * BLOCK_BYTES)
}

/// The tenth field of the line that begins with the device's two numbers.
fn sectors_written(diskstats: &str, device: u64) -> Option<u64> {
    // How Linux packs them into `st_dev`.
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
    let minor = (device & 0xff) | ((device >> 12) & !0xff);
    let numbers = [major.to_string(), minor.to_string()];
    diskstats.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.get(..2)? == numbers).then(|| fields.get(9)?.parse().ok()).flatten()
    })
}

/// The disk space that a folder takes, with all that is in it. Files that vanish meanwhile count
/// nothing.
pub(crate) fn folder_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        bytes += if metadata.is_dir() {
            folder_bytes(&entry.path())?
        } else {
            metadata.blocks() * BLOCK_BYTES
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_program_name() {
        let stat = |name: &str| format!("42 ({name}) S 1 42 42 0 -1 4194304 9 0 0 0 250 75 0 0 20");
        assert_eq!(cpu_ticks(&stat("quorate")), Some(325));
        assert_eq!(cpu_ticks(&stat("a ) b (c) 1 2 3")), Some(325));
        assert_eq!(cpu_ticks("42 (quorate) S 1"), None);
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "Name:\tetcd\nVmPeak:\t 999 kB\nVmHWM:\t   20480 kB\nVmRSS:\t 100 kB\n";
        assert_eq!(field(status, "VmHWM"), Some(20480));
        assert_eq!(field(status, "Vm"), None);
        assert_eq!(field(status, "RSS"), None);
    }

    #[test]
    fn devices_are_found_by_both_numbers() {
        let text = "   8  2 sda2 1 2 3 4 5 6 77 8 9\n 254  0 vda 10 20 30 40 50 60 70 80 90\n";
        assert_eq!(sectors_written(text, (254 << 8) | 0), Some(70));
        assert_eq!(sectors_written(text, (8 << 8) | 2), Some(77));
        assert_eq!(sectors_written(text, 2), None);
        // Minor numbers above 255 continue above the major one.
        assert_eq!(sectors_written("259 300 n 1 2 3 4 5 6 7", 0x0011_032c), Some(7));
    }

    #[test]
    fn the_kernel_of_this_machine_is_understood() {
        let own = Usage::of(&[std::process::id()]).unwrap();
        assert!(own.peak_bytes > 100_000, "{own:?}");
        let error = Usage::of(&[u32::MAX]).unwrap_err();
        assert!(error.to_string().starts_with("cannot read /proc/4294967295/stat"), "{error}");
    }

    #[test]
    fn folders_count_what_is_below_them() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        std::fs::create_dir(&below).unwrap();
        let empty = folder_bytes(folder.path()).unwrap();
        let file = std::fs::File::create(below.join("file")).unwrap();
        std::io::Write::write_all(&mut &file, &[7; 100_000]).unwrap();
        file.sync_all().unwrap();
        let full = folder_bytes(folder.path()).unwrap();
        assert!(full > empty, "{empty} then {full}");
    }
}
