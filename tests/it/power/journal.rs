//! What the shim wrote down, read back.

use std::fs;
use std::path::{Path, PathBuf};

/// One thing that a program did below the watched folder. Paths are relative to it.
#[derive(Debug, Clone)]
pub enum Step {
    Create {
        path: PathBuf,
        is_folder: bool,
    },
    /// The inode of what was just created.
    Bind {
        path: PathBuf,
        inode: u64,
    },
    Write {
        inode: u64,
        at: u64,
        bytes: Vec<u8>,
    },
    Length {
        inode: u64,
        length: u64,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    /// Everything recorded before this number is on the disk, as far as it concerns this inode.
    Sync {
        inode: u64,
        before: usize,
    },
    /// The step before this one did not happen.
    Cancel,
}

/// All steps in their order; what a kill left of the last record is not one.
pub fn read(file: &Path) -> Vec<Step> {
    let bytes = fs::read(file).unwrap_or_default();
    let mut rest = bytes.as_slice();
    std::iter::from_fn(|| step(&mut rest)).collect()
}

fn step(rest: &mut &[u8]) -> Option<Step> {
    let mut bytes = *rest;
    let kind = small(&mut bytes)?;
    let path_length = small(&mut bytes)?;
    let data_length = long(&mut bytes)?;
    let a = long(&mut bytes)?;
    let b = long(&mut bytes)?;
    let text = std::str::from_utf8(take(&mut bytes, path_length.into())?).unwrap();
    let data = take(&mut bytes, data_length)?;
    *rest = bytes;
    let path = PathBuf::from(text);
    Some(match kind {
        1 => Step::Create { path, is_folder: a == 1 },
        2 => Step::Bind { path, inode: a },
        3 => Step::Write { inode: a, at: b, bytes: data.to_vec() },
        4 => Step::Length { inode: a, length: b },
        5 => {
            let (from, to) = text.split_once('\0').unwrap();
            Step::Rename { from: from.into(), to: to.into() }
        }
        6 => Step::Remove { path },
        7 => Step::Sync { inode: a, before: usize::try_from(b).unwrap() },
        8 => Step::Cancel,
        other => panic!("the shim wrote a record of kind {other}"),
    })
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).unwrap())?;
    *bytes = rest;
    Some(taken)
}

fn small(bytes: &mut &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(take(bytes, 4)?.try_into().unwrap()))
}

fn long(bytes: &mut &[u8]) -> Option<u64> {
    Some(u64::from_ne_bytes(take(bytes, 8)?.try_into().unwrap()))
}
