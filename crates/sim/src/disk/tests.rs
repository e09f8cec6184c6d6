//! What crashes leave, by their kind.

use super::*;

fn disk() -> SimDisk {
    SimDisk::new(Prng::named(1, "disk"))
}

/// A file `a` of two sectors: the first synced as ones, both then overwritten with twos.
fn half_synced() -> SimDisk {
    let mut disk = disk();
    disk.create("a").expect("the name is free");
    disk.write_at("a", 0, &[1; 512]).expect("the file is there");
    disk.sync("a").expect("nothing fails");
    disk.sync_dir().expect("nothing fails");
    disk.write_at("a", 0, &[2; 1024]).expect("the file is there");
    disk
}

fn content(disk: &SimDisk, name: &str) -> Vec<u8> {
    let mut bytes = vec![0; disk.len(name).expect("the file is there") as usize];
    disk.read_at(name, 0, &mut bytes).expect("the range is inside");
    bytes
}

#[test]
fn the_cache_outlives_the_process_but_not_the_power() {
    let disk = half_synced();
    disk.process_died();
    assert_eq!(content(&disk, "a"), [2; 1024]);
    assert_eq!(content(&disk.durable_copy(), "a"), [1; 512]);
    disk.power_cut(PowerCut::LoseAll);
    assert_eq!(content(&disk, "a"), [1; 512]);
    assert_eq!(disk.counts().sectors_lost, 2);
}

#[test]
fn a_mixed_cut_keeps_loses_and_tears_sectors() {
    let (mut kept, mut lost, mut torn, mut short) = (0, 0, 0, 0);
    for seed in 0..200 {
        let disk = half_synced();
        disk.0.borrow_mut().random = Prng::named(seed, "cut");
        disk.power_cut(PowerCut::Mixed);
        let bytes = content(&disk, "a");
        match bytes[..512].iter().filter(|byte| **byte == 2).count() {
            512 => kept += 1,
            0 => lost += 1,
            _ => torn += 1,
        }
        short += u32::from(bytes.len() == 512);
    }
    assert!(kept > 30 && lost > 30 && torn > 30 && short > 50, "{kept} {lost} {torn} {short}");
}

#[test]
fn a_failed_sync_forgets_what_it_was_asked_to_write() {
    let mut disk = half_synced();
    disk.fail_next_sync();
    assert!(disk.sync("a").is_err());
    assert_eq!(disk.sync("a"), Ok(()));
    assert_eq!(content(&disk, "a"), [2; 1024]);
    disk.power_cut(PowerCut::KeepAll);
    assert_eq!(content(&disk, "a")[..512], [1; 512]);
}

#[test]
fn names_need_a_directory_sync() {
    let mut disk = half_synced();
    disk.create("b").expect("the name is free");
    disk.rename("a", "c").expect("the file is there");
    assert_eq!(disk.list(), Ok(vec!["b".to_owned(), "c".to_owned()]));
    disk.power_cut(PowerCut::LoseAll);
    assert_eq!(disk.list(), Ok(vec!["a".to_owned()]));
    disk.rename("a", "c").expect("the file is there");
    disk.sync_dir().expect("nothing fails");
    disk.power_cut(PowerCut::LoseAll);
    assert_eq!(disk.list(), Ok(vec!["c".to_owned()]));
}

#[test]
fn a_burnt_fuse_ends_the_process() {
    let mut disk = half_synced();
    disk.light_fuse(1);
    assert_eq!(disk.write_at("a", 0, &[3]), Ok(()));
    assert!(disk.is_blown());
    assert!(disk.sync("a").is_err());
    disk.process_died();
    assert_eq!(content(&disk, "a")[0], 3);
}
