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
    disk.arm(1, Mishap::FailSync);
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
    disk.arm(1, Mishap::Fuse { operations: 1 });
    assert_eq!(disk.write_at("a", 0, &[3]), Ok(()));
    assert!(disk.is_blown());
    assert!(disk.sync("a").is_err());
    disk.process_died();
    assert_eq!(content(&disk, "a")[0], 3);
}

/// A file of eight sectors, each synced on its own: the first ones are old.
fn old_sectors() -> SimDisk {
    let mut disk = disk();
    disk.create("a").expect("the name is free");
    disk.sync_dir().expect("nothing fails");
    for sector in 0..8 {
        disk.write_at("a", sector * 512, &[sector as u8 + 1; 512]).expect("the file is there");
        disk.sync("a").expect("nothing fails");
    }
    disk
}

fn differing(disk: &SimDisk) -> usize {
    let expected = (0..4096).map(|at| (at / 512) as u8 + 1);
    content(disk, "a").into_iter().zip(expected).filter(|(is, was)| is != was).count()
}

#[test]
fn rot_changes_one_old_byte_and_is_struck_when_it_is_read() {
    let mut disk = old_sectors();
    assert!(disk.rot(7));
    assert!(disk.is_injured() && disk.is_provable());
    assert_eq!(disk.take_struck(), []);
    assert_eq!(differing(&disk), 1);
    assert_eq!(disk.take_struck(), [7]);
    assert_eq!(differing(&disk.durable_copy()), 1);
    disk.write_at("a", 0, &[0; 4096]).expect("the file is there");
    assert!(!disk.is_injured(), "new bytes are whole");
}

#[test]
fn a_scratched_sector_fails_to_be_read_until_it_is_written() {
    let mut disk = old_sectors();
    assert!(disk.scratch(7));
    let mut bytes = [0; 4096];
    assert!(disk.read_at("a", 0, &mut bytes).is_err());
    disk.write_at("a", 0, &[9; 4096]).expect("the file is there");
    assert_eq!(disk.read_at("a", 0, &mut bytes), Ok(()));
}

#[test]
fn a_misdirected_write_hurts_two_places_and_is_proven_by_later_ones() {
    let mut disk = old_sectors();
    let mut tries = 0;
    while !disk.is_injured() {
        tries += 1;
        disk.arm(tries, Mishap::MisdirectWrite);
        disk.write_at("a", 0, &[9; 512]).expect("it says Ok");
    }
    disk.sync("a").expect("nothing fails");
    assert!(!disk.is_provable(), "it might have been the last write");
    for _ in 0..2 {
        disk.write_at("a", 4096, &[9; 512]).expect("the file is there");
        disk.sync("a").expect("nothing fails");
    }
    assert!(disk.is_provable());
}

#[test]
fn a_full_disk_takes_what_fits_and_more_when_there_is_space() {
    let mut disk = old_sectors();
    disk.fill(3, 100);
    assert_eq!(disk.write_at("a", 0, &[7; 4096]), Ok(()), "no growth");
    let full = disk.write_at("a", 4000, &[8; 500]).map_err(|error| error.kind);
    assert_eq!(full, Err(DiskErrorKind::Full));
    assert_eq!(disk.len("a"), Ok(4196));
    assert_eq!(disk.take_struck(), [3]);
    disk.free(3);
    assert_eq!(disk.write_at("a", 4000, &[8; 500]), Ok(()));
}

#[test]
fn a_short_write_leaves_a_beginning() {
    let mut disk = old_sectors();
    disk.arm(1, Mishap::ShortWrite);
    assert!(disk.write_at("a", 0, &[99; 4096]).is_err());
    let written = content(&disk, "a").iter().take_while(|byte| **byte == 99).count();
    assert!(written < 4096 && content(&disk, "a")[written..].iter().all(|byte| *byte != 99));
}

#[test]
fn garbage_falls_only_on_what_was_to_change() {
    for seed in 0..100 {
        let mut disk = half_synced();
        disk.0.borrow_mut().random = Prng::named(seed, "cut");
        disk.write_at("a", 0, &[1; 300]).expect("the file is there");
        disk.power_cut(PowerCut::Garbled);
        assert!(content(&disk, "a")[..300].iter().all(|byte| *byte == 1));
    }
}

#[test]
fn a_file_without_a_durable_name_is_told_of() {
    let mut disk = disk();
    disk.create("a").expect("the name is free");
    disk.sync("a").expect("nothing fails");
    assert_eq!(disk.take_nameless().as_deref(), Some("a"));
    disk.sync("a").expect("nothing fails");
    disk.sync_dir().expect("nothing fails");
    assert_eq!(disk.take_nameless(), None);
}
