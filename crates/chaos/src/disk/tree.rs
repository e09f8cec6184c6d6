//! Files and folders in memory, each as it is seen and as it would survive a power cut.
//!
//! A name is durable when its folder was synced after it was made; of the changes to a folder
//! since, a cut leaves the first few. A rename inside one folder happens or does not. A rename
//! between folders is durable at once, which is kinder than a disk; nothing here needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use base::Prng;

use super::content::{Content, Loss};

/// The number of a file or folder; 1 is the root.
pub(crate) type Number = u64;

/// The root folder.
pub(crate) const ROOT: Number = 1;

/// Why an operation was refused, as the system calls say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Missing,
    Exists,
    IsFolder,
    NoFolder,
    NotEmpty,
}

/// One change of one folder.
#[derive(Clone, Debug)]
enum Change {
    Link(OsString, Number),
    Unlink(OsString),
    Rename(OsString, OsString),
}

type Names = BTreeMap<OsString, Number>;

#[derive(Clone, Debug, Default)]
struct Folder {
    durable: Names,
    current: Names,
    changes: Vec<Change>,
}

impl Folder {
    fn make(&mut self, change: Change) {
        apply(&mut self.current, &change);
        self.changes.push(change);
    }

    fn sync(&mut self) {
        self.durable.clone_from(&self.current);
        self.changes.clear();
    }

    fn cut(&mut self, loss: Loss, random: &mut Prng) -> u64 {
        let count = self.changes.len() as u64;
        let kept = match loss {
            Loss::All => 0,
            Loss::Torn | Loss::Tail => random.below(count + 1),
        };
        for change in &self.changes[..kept as usize] {
            apply(&mut self.durable, change);
        }
        self.current.clone_from(&self.durable);
        self.changes.clear();
        count - kept
    }
}

fn apply(names: &mut Names, change: &Change) {
    match change {
        Change::Link(name, number) => drop(names.insert(name.clone(), *number)),
        Change::Unlink(name) => drop(names.remove(name)),
        Change::Rename(from, to) => {
            if let Some(number) = names.remove(from) {
                names.insert(to.clone(), number);
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Body {
    File(Content),
    Folder(Folder),
}

#[derive(Clone, Debug)]
struct Item {
    permissions: u16,
    body: Body,
}

/// What is told about a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) number: Number,
    pub(crate) is_folder: bool,
    pub(crate) len: u64,
    pub(crate) occupied: u64,
    pub(crate) permissions: u16,
}

/// All files and folders of one disk.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    items: BTreeMap<Number, Item>,
    next: Number,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let root = Item { permissions: 0o755, body: Body::Folder(Folder::default()) };
        Self { items: BTreeMap::from([(ROOT, root)]), next: ROOT + 1 }
    }

    fn folder(&mut self, number: Number) -> Result<&mut Folder, Refusal> {
        match self.items.get_mut(&number).map(|item| &mut item.body) {
            Some(Body::Folder(folder)) => Ok(folder),
            Some(Body::File(_)) => Err(Refusal::NoFolder),
            None => Err(Refusal::Missing),
        }
    }

    /// The bytes of a file.
    pub(crate) fn file(&mut self, number: Number) -> Result<&mut Content, Refusal> {
        match self.items.get_mut(&number).map(|item| &mut item.body) {
            Some(Body::File(content)) => Ok(content),
            Some(Body::Folder(_)) => Err(Refusal::IsFolder),
            None => Err(Refusal::Missing),
        }
    }

    pub(crate) fn facts(&self, number: Number) -> Result<Facts, Refusal> {
        let item = self.items.get(&number).ok_or(Refusal::Missing)?;
        let (is_folder, len, occupied) = match &item.body {
            Body::File(content) => (false, content.len(), content.occupied()),
            Body::Folder(_) => (true, 0, 0),
        };
        Ok(Facts { number, is_folder, len, occupied, permissions: item.permissions })
    }

    pub(crate) fn set_permissions(&mut self, number: Number, permissions: u16) {
        if let Some(item) = self.items.get_mut(&number) {
            item.permissions = permissions;
        }
    }

    pub(crate) fn look_up(&mut self, folder: Number, name: &OsStr) -> Result<Facts, Refusal> {
        let found = self.folder(folder)?.current.get(name).copied();
        self.facts(found.ok_or(Refusal::Missing)?)
    }

    /// The names in a folder, ascending.
    pub(crate) fn list(&mut self, folder: Number) -> Result<Vec<(OsString, Facts)>, Refusal> {
        let names = self.folder(folder)?.current.clone();
        names.into_iter().map(|(name, number)| Ok((name, self.facts(number)?))).collect()
    }

    pub(crate) fn make(
        &mut self,
        folder: Number,
        name: &OsStr,
        is_folder: bool,
        permissions: u16,
    ) -> Result<Facts, Refusal> {
        let number = self.next;
        let names = self.folder(folder)?;
        if names.current.contains_key(name) {
            return Err(Refusal::Exists);
        }
        names.make(Change::Link(name.to_owned(), number));
        let body = match is_folder {
            true => Body::Folder(Folder::default()),
            false => Body::File(Content::default()),
        };
        self.items.insert(number, Item { permissions, body });
        self.next += 1;
        self.facts(number)
    }

    pub(crate) fn remove(&mut self, folder: Number, name: &OsStr) -> Result<(), Refusal> {
        let facts = self.look_up(folder, name)?;
        if facts.is_folder && !self.folder(facts.number)?.current.is_empty() {
            return Err(Refusal::NotEmpty);
        }
        self.folder(folder)?.make(Change::Unlink(name.to_owned()));
        Ok(())
    }

    pub(crate) fn rename(
        &mut self,
        from: (Number, &OsStr),
        to: (Number, &OsStr),
    ) -> Result<(), Refusal> {
        let facts = self.look_up(from.0, from.1)?;
        if from.0 == to.0 {
            let change = Change::Rename(from.1.to_owned(), to.1.to_owned());
            self.folder(from.0)?.make(change);
            return Ok(());
        }
        self.folder(to.0)?.make(Change::Link(to.1.to_owned(), facts.number));
        self.folder(from.0)?.make(Change::Unlink(from.1.to_owned()));
        self.folder(to.0)?.sync();
        self.folder(from.0)?.sync();
        Ok(())
    }

    /// Makes the names in a folder durable.
    pub(crate) fn sync_folder(&mut self, folder: Number) -> Result<(), Refusal> {
        self.folder(folder)?.sync();
        Ok(())
    }

    /// Bytes that all files occupy.
    pub(crate) fn occupied(&self) -> u64 {
        self.contents().map(Content::occupied).sum()
    }

    fn contents(&self) -> impl Iterator<Item = &Content> {
        self.items.values().filter_map(|item| match &item.body {
            Body::File(content) => Some(content),
            Body::Folder(_) => None,
        })
    }

    /// Sectors, lengths and names that a cut could lose now.
    pub(crate) fn pending(&self) -> u64 {
        let each = self.items.values().map(|item| match &item.body {
            Body::File(content) => content.pending(),
            Body::Folder(folder) => folder.changes.len() as u64,
        });
        each.sum()
    }

    /// Power is cut; how much was lost.
    pub(crate) fn cut(&mut self, loss: Loss, random: &mut Prng) -> u64 {
        let mut lost = 0;
        for item in self.items.values_mut() {
            lost += match &mut item.body {
                Body::File(content) => content.cut(loss, random),
                Body::Folder(folder) => folder.cut(loss, random),
            };
        }
        self.forget_unreachable();
        lost
    }

    /// Frees what no name leads to. Only while nobody has a file open.
    fn forget_unreachable(&mut self) {
        let mut reached = BTreeSet::from([ROOT]);
        let mut waiting = vec![ROOT];
        while let Some(number) = waiting.pop() {
            let Some(Item { body: Body::Folder(folder), .. }) = self.items.get(&number) else {
                continue;
            };
            let names = folder.current.values().chain(folder.durable.values());
            waiting.extend(names.copied().filter(|number| reached.insert(*number)));
        }
        self.items.retain(|number, _| reached.contains(number));
    }

    /// Turns one bit of one file whose name `is_wanted`; its name.
    pub(crate) fn rot(
        &mut self,
        random: &mut Prng,
        is_wanted: impl Fn(&OsStr) -> bool,
    ) -> Option<OsString> {
        let mut files: Vec<(OsString, Number)> = self
            .items
            .values()
            .filter_map(|item| match &item.body {
                Body::Folder(folder) => Some(folder.current.clone()),
                Body::File(_) => None,
            })
            .flatten()
            .filter(|(name, _)| is_wanted(name))
            .collect();
        random.shuffle(&mut files);
        let rots = |(_, number): &(OsString, Number)| {
            self.file(*number).is_ok_and(|content| content.rot(random))
        };
        files.into_iter().find(rots).map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tree: &mut Tree) -> Vec<String> {
        let list = tree.list(ROOT).unwrap();
        list.into_iter().map(|(name, _)| name.into_string().unwrap()).collect()
    }

    fn random() -> Prng {
        Prng::named(1, "tree")
    }

    #[test]
    fn a_synced_file_without_a_synced_name_is_lost() {
        let mut tree = Tree::new();
        let kept = tree.make(ROOT, OsStr::new("kept"), false, 0o600).unwrap();
        tree.sync_folder(ROOT).unwrap();
        let lost = tree.make(ROOT, OsStr::new("lost"), false, 0o600).unwrap();
        for file in [kept, lost] {
            tree.file(file.number).unwrap().write(0, b"bytes");
            tree.file(file.number).unwrap().sync();
        }
        assert_eq!(tree.pending(), 1);
        assert_eq!(tree.cut(Loss::All, &mut random()), 1);
        assert_eq!(names(&mut tree), ["kept"]);
        assert_eq!(tree.file(kept.number).unwrap().read(0, 9), b"bytes");
        assert_eq!(tree.file(lost.number).err(), Some(Refusal::Missing));
    }

    #[test]
    fn a_rename_over_another_file_happens_or_does_not() {
        let mut random = random();
        let mut seen = BTreeSet::new();
        for _ in 0..40 {
            let mut tree = Tree::new();
            for (name, bytes) in [("new", b"2"), ("old", b"1")] {
                let file = tree.make(ROOT, OsStr::new(name), false, 0o600).unwrap();
                tree.file(file.number).unwrap().write(0, bytes);
                tree.file(file.number).unwrap().sync();
            }
            tree.sync_folder(ROOT).unwrap();
            tree.rename((ROOT, OsStr::new("new")), (ROOT, OsStr::new("old"))).unwrap();
            tree.cut(Loss::Torn, &mut random);
            let old = tree.look_up(ROOT, OsStr::new("old")).unwrap().number;
            let bytes = tree.file(old).unwrap().read(0, 1);
            assert!(names(&mut tree) == ["old"] || bytes == b"1");
            seen.insert(bytes);
        }
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn refusals_are_those_of_the_system_calls() {
        let mut tree = Tree::new();
        let folder = tree.make(ROOT, OsStr::new("folder"), true, 0o755).unwrap();
        let file = tree.make(folder.number, OsStr::new("file"), false, 0o600).unwrap();
        let again = tree.make(ROOT, OsStr::new("folder"), true, 0o755);
        assert_eq!(again, Err(Refusal::Exists));
        assert_eq!(tree.remove(ROOT, OsStr::new("folder")), Err(Refusal::NotEmpty));
        assert_eq!(tree.remove(ROOT, OsStr::new("none")), Err(Refusal::Missing));
        assert_eq!(tree.file(folder.number).err(), Some(Refusal::IsFolder));
        assert_eq!(tree.list(file.number).err(), Some(Refusal::NoFolder));
        tree.remove(folder.number, OsStr::new("file")).unwrap();
        tree.remove(ROOT, OsStr::new("folder")).unwrap();
        assert_eq!(names(&mut tree), [] as [String; 0]);
    }
}
