//! One program for all targets, so that they are linked once. `FUZZ_TARGET` chooses one; the
//! arguments are libFuzzer's. `FUZZ_SEEDS=folder` writes the target's seeds there and ends.
#![no_main]

use std::path::Path;
use std::process::exit;
use std::sync::OnceLock;

use decoders::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<Target> = OnceLock::new();

fn choose() {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let Some(target) = decoders::target(&name) else {
        eprintln!("FUZZ_TARGET must be one of these:");
        decoders::targets().iter().for_each(|target| println!("{}", target.name));
        exit(2);
    };
    if let Ok(folder) = std::env::var("FUZZ_SEEDS") {
        write_seeds(&target, Path::new(&folder));
        println!("{}", target.bytes_max);
        exit(0);
    }
    // What the targets share is made before the first input is timed.
    (target.seeds)().iter().for_each(|seed| (target.check)(seed));
    let _ = TARGET.set(target);
}

fn write_seeds(target: &Target, folder: &Path) {
    let write = || {
        std::fs::create_dir_all(folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
        std::io::Result::Ok(())
    };
    if let Err(error) = write() {
        eprintln!("cannot write seeds into {}: {error}", folder.display());
        exit(2);
    }
}

fuzz_target!(init: choose(), |input: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.check)(input);
    }
});
