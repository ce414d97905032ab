//! A folder as a disk holds it: what was synced, and what a power cut may have left of the rest.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::power::chance::Chance;
use crate::power::journal::Step;

/// What is left of writes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing.
    Strict,
    /// A random half, cut at the borders of sectors or pages; of changes to folders a random half, too.
    Torn,
    /// Everything is left, as the program itself saw it.
    Nothing,
}

/// A file or a folder, whatever its name is.
#[derive(Clone, Default)]
struct Object {
    /// `None` for a folder.
    bytes: Option<Vec<u8>>,
    /// Of a folder, as it was at the beginning.
    names: BTreeMap<String, usize>,
    /// Of a folder, as the program sees it.
    seen: BTreeMap<String, usize>,
    changes: Vec<(usize, Change)>,
    /// Changes recorded before this number are on the disk.
    durable: usize,
}

#[derive(Clone)]
enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Length(u64),
    Link(String, usize),
    Unlink(String),
    Rename(String, String),
}

/// See the module. The first object is the folder itself.
#[derive(Clone)]
pub struct Disk {
    objects: Vec<Object>,
    inodes: HashMap<u64, usize>,
}

impl Disk {
    /// Takes a folder in as it is; all of it counts as durable.
    pub fn of(folder: &Path) -> Self {
        let mut disk = Self { objects: Vec::new(), inodes: HashMap::new() };
        disk.load(folder);
        disk
    }

    fn load(&mut self, path: &Path) -> usize {
        let number = self.objects.len();
        self.inodes.insert(fs::metadata(path).unwrap().ino(), number);
        self.objects.push(Object::default());
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
                let kind = entry.file_type().unwrap();
                if kind.is_dir() || kind.is_file() {
                    let child = self.load(&entry.path());
                    let name = entry.file_name().into_string().unwrap();
                    self.objects[number].names.insert(name, child);
                }
            }
            self.objects[number].seen = self.objects[number].names.clone();
        } else {
            self.objects[number].bytes = Some(fs::read(path).unwrap());
        }
        number
    }

    /// The same after the first `end` of the steps that a program did.
    pub fn followed(&self, steps: &[Step], end: usize) -> Self {
        let mut disk = self.clone();
        for (number, step) in steps[..end].iter().enumerate() {
            let happened = !matches!(steps.get(number + 1), Some(Step::Cancel));
            if happened {
                disk.step(number, step);
            }
        }
        disk
    }

    fn step(&mut self, number: usize, step: &Step) {
        match step {
            Step::Cancel => {}
            Step::Create { path, is_folder } => {
                let child = self.objects.len();
                let bytes = (!is_folder).then(Vec::new);
                self.objects.push(Object { bytes, ..Object::default() });
                let (folder, name) = self.place(path);
                self.objects[folder].seen.insert(name.clone(), child);
                self.objects[folder].changes.push((number, Change::Link(name, child)));
            }
            Step::Bind { path, inode } => {
                let (folder, name) = self.place(path);
                self.inodes.insert(*inode, self.objects[folder].seen[&name]);
            }
            Step::Write { inode, at, bytes } => {
                self.change(number, *inode, Change::Write { at: *at, bytes: bytes.clone() });
            }
            Step::Length { inode, length } => self.change(number, *inode, Change::Length(*length)),
            Step::Rename { from, to } => {
                let ((folder, old), (to_folder, new)) = (self.place(from), self.place(to));
                assert_eq!(folder, to_folder, "a move between folders is not made atomic by syncing one of them");
                let object = self.objects[folder].seen.remove(&old).unwrap();
                self.objects[folder].seen.insert(new.clone(), object);
                self.objects[folder].changes.push((number, Change::Rename(old, new)));
            }
            Step::Remove { path } => {
                let (folder, name) = self.place(path);
                // A socket was never noted down.
                if self.objects[folder].seen.remove(&name).is_some() {
                    self.objects[folder].changes.push((number, Change::Unlink(name)));
                }
            }
            Step::Sync { inode, before } => {
                let object = &mut self.objects[self.inodes[inode]];
                object.durable = object.durable.max(*before);
            }
        }
    }

    fn change(&mut self, number: usize, inode: u64, change: Change) {
        self.objects[self.inodes[&inode]].changes.push((number, change));
    }

    /// The folder that holds a path, and the name in it.
    fn place(&self, path: &Path) -> (usize, String) {
        let mut names: Vec<String> = path.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
        let name = names.pop().unwrap();
        (names.iter().fold(0, |folder, name| self.objects[folder].seen[name]), name)
    }

    /// What the disk holds after the cut, by path; `None` for folders.
    pub fn after(&self, cut: Cut, chance: &mut Chance) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        self.collect(0, Path::new(""), cut, chance, &mut found);
        found
    }

    fn collect(
        &self,
        number: usize,
        path: &Path,
        cut: Cut,
        chance: &mut Chance,
        found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>,
    ) {
        let object = &self.objects[number];
        if object.bytes.is_some() {
            found.insert(path.to_owned(), Some(object.content(cut, chance)));
            return;
        }
        found.insert(path.to_owned(), None);
        for (name, child) in object.list(cut, chance) {
            self.collect(child, &path.join(name), cut, chance, found);
        }
    }
}

impl Object {
    fn content(&self, cut: Cut, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.bytes.clone().unwrap();
        // A disk that writes whole pages and one that writes sectors, one that is nearly idle and one that is far behind.
        let grain = chance.one_of(&[512, 4096]);
        let kept = chance.one_of(&[10, 50, 90]);
        for (number, change) in &self.changes {
            let is_whole = *number < self.durable || cut == Cut::Nothing;
            match change {
                Change::Write { at, bytes: written } if is_whole => put(&mut bytes, *at, written),
                Change::Length(length) if is_whole || (cut == Cut::Torn && chance.percent(kept)) => {
                    bytes.resize(usize::try_from(*length).unwrap(), 0);
                }
                Change::Write { at, bytes: written } if cut == Cut::Torn => {
                    for (at, piece) in pieces(*at, written, grain) {
                        if chance.percent(kept) {
                            put(&mut bytes, at, piece);
                        }
                    }
                }
                _ => {}
            }
        }
        bytes
    }

    fn list(&self, cut: Cut, chance: &mut Chance) -> BTreeMap<String, usize> {
        let mut names = self.names.clone();
        for (number, change) in &self.changes {
            let happens = *number < self.durable || cut == Cut::Nothing || (cut == Cut::Torn && chance.percent(50));
            match change {
                Change::Link(name, child) if happens => drop(names.insert(name.clone(), *child)),
                Change::Unlink(name) if happens => drop(names.remove(name)),
                Change::Rename(old, new) if happens => {
                    if let Some(child) = names.remove(old) {
                        names.insert(new.clone(), child);
                    }
                }
                _ => {}
            }
        }
        names
    }
}

/// A write, cut where the disk's own units end.
fn pieces(at: u64, mut bytes: &[u8], grain: u64) -> Vec<(u64, &[u8])> {
    let mut at = at;
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = usize::try_from(grain - at % grain).unwrap().min(bytes.len());
        let (piece, rest) = bytes.split_at(length);
        found.push((at, piece));
        at += length as u64;
        bytes = rest;
    }
    found
}

fn put(bytes: &mut Vec<u8>, at: u64, written: &[u8]) {
    let at = usize::try_from(at).unwrap();
    let end = at + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(written);
}

/// Makes a folder hold this and nothing else.
pub fn write(folder: &Path, files: &BTreeMap<PathBuf, Option<Vec<u8>>>) {
    fs::remove_dir_all(folder).unwrap();
    for (path, bytes) in files {
        match bytes {
            None => fs::create_dir(folder.join(path)).unwrap(),
            Some(bytes) => fs::write(folder.join(path), bytes).unwrap(),
        }
    }
}

/// Holds the journal against what is really there: everything that the program did must have been seen.
///
/// The program may have been killed between a record and its operation, so the last step is allowed to be missing, also in part.
pub fn check_complete(folder: &Path, before: &Disk, steps: &[Step]) {
    let everything = |disk: &Disk| disk.after(Cut::Nothing, &mut Chance::new(0));
    let real = everything(&Disk::of(folder));
    let all = everything(&before.followed(steps, steps.len()));
    if real == all {
        return;
    }
    let short = everything(&before.followed(steps, steps.len().saturating_sub(1)));
    for path in real.keys().chain(all.keys()) {
        let (real, all, short) = (real.get(path), all.get(path), short.get(path));
        let is_between = real == all || real == short || is_mixture(real, all, short);
        assert!(is_between, "{}: the journal does not know all that was written", path.display());
    }
}

fn is_mixture(real: Option<&Option<Vec<u8>>>, all: Option<&Option<Vec<u8>>>, short: Option<&Option<Vec<u8>>>) -> bool {
    let (Some(Some(real)), Some(Some(all)), Some(Some(short))) = (real, all, short) else { return false };
    let byte = |bytes: &[u8], at: usize| bytes.get(at).copied();
    let longest = real.len().max(short.len());
    real.len() <= all.len() && (0..longest).all(|at| [byte(all, at), byte(short, at)].contains(&byte(real, at)))
}
