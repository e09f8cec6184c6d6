//! Lists the files of `web/dist`, if it was built, so that the library can include their bytes.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    let home = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let dist = Path::new(&home).join("../../web/dist");
    // A folder that is not there yet is watched by its parent.
    let watched = if dist.is_dir() { dist.clone() } else { Path::new(&home).join("../../web") };
    let watched = if watched.is_dir() { watched } else { PathBuf::from(&home).join("build.rs") };
    println!("cargo:rerun-if-changed={}", watched.display());
    let mut files = Vec::new();
    collect(&dist, &mut files);
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let Ok(name) = file.strip_prefix(&dist) else { continue };
        let name = name.to_string_lossy().replace('\\', "/");
        let path = std::fs::canonicalize(&file).unwrap_or(file);
        let path = path.display().to_string();
        let _ = writeln!(list, "Asset {{ path: {name:?}, bytes: include_bytes!({path:?}) }},");
    }
    list.push(']');
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    if let Err(error) = std::fs::write(Path::new(&out).join("files.rs"), list) {
        println!("cargo:warning=the list of web files could not be written: {error}");
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
