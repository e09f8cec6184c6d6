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
    let out = PathBuf::from(std::env::var("OUT_DIR").unwrap_or_default());
    let list = list(&dist, &out.join("web"), &files);
    if let Err(error) = list.and_then(|list| std::fs::write(out.join("files.rs"), list)) {
        println!("cargo:warning=the web files could not be taken over: {error}");
    }
}

/// The list in Rust. It names copies of the files, so that a later build of the pages may delete
/// them while this one is still being compiled.
fn list(dist: &Path, copies: &Path, files: &[PathBuf]) -> std::io::Result<String> {
    std::fs::create_dir_all(copies)?;
    let mut list = String::from("&[\n");
    for (number, file) in files.iter().enumerate() {
        let Ok(name) = file.strip_prefix(dist) else { continue };
        let name = name.to_string_lossy().replace('\\', "/");
        let copy = copies.join(number.to_string());
        std::fs::copy(file, &copy)?;
        let path = copy.display().to_string();
        let _ = writeln!(list, "Asset {{ path: {name:?}, bytes: include_bytes!({path:?}) }},");
    }
    list.push(']');
    Ok(list)
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
