//! The shim, compiled for one test, and what it needs to be told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::power::journal::{self, Step};

/// What the disk under the folder does from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Healthy,
    /// Takes this many bytes more.
    Full(u64),
    ReadOnly,
    /// Takes everything, but does not make it durable.
    SyncFails,
}

/// See the module.
pub struct Shim {
    preload: PathBuf,
    journal: PathBuf,
    control: PathBuf,
    folder: PathBuf,
    ignores_fdatasync: bool,
}

impl Shim {
    /// Compiles the shim into `home`, to watch `folder`; `None`, with a reason in the output, where that cannot be.
    pub fn new(home: &Path, folder: &Path) -> Option<Self> {
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            println!("skipped: power cuts are played by a preloaded library, which needs Linux with glibc");
            return None;
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/power/shim.c");
        let library = home.join("shim.so");
        let compiled =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl").output();
        let Ok(compiled) = compiled else {
            println!("skipped: power cuts are played by a preloaded library, and there is no C compiler (`cc`)");
            return None;
        };
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let shim = Self {
            preload: library,
            journal: home.join("journal"),
            control: home.join("control"),
            folder: folder.to_owned(),
            ignores_fdatasync: false,
        };
        shim.set(Mood::Healthy);
        Some(shim)
    }

    /// From now on `fdatasync` makes nothing durable: as if the engine had forgotten its sync.
    pub fn ignore_fdatasync(&mut self) {
        self.ignores_fdatasync = true;
    }

    /// The variables with which a program is to be started.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let mut variables = vec![
            ("LD_PRELOAD", self.preload.clone()),
            ("SHIM_FOLDER", self.folder.clone()),
            ("SHIM_JOURNAL", self.journal.clone()),
            ("SHIM_CONTROL", self.control.clone()),
        ];
        if self.ignores_fdatasync {
            variables.push(("SHIM_IGNORE_FDATASYNC", PathBuf::from("1")));
        }
        variables
    }

    /// Changes the disk's mood, also under a running program.
    pub fn set(&self, mood: Mood) {
        let (letter, free) = match mood {
            Mood::Healthy => (b'H', 0),
            Mood::Full(free) => (b'F', free),
            Mood::ReadOnly => (b'R', 0),
            Mood::SyncFails => (b'S', 0),
        };
        let mut bytes = [0_u8; 16];
        bytes[8..].copy_from_slice(&free.to_le_bytes());
        bytes[0] = letter;
        // In place: the program has mapped the file.
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&self.control).unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
    }

    /// What was journalled since the last time.
    pub fn take_journal(&self) -> Vec<Step> {
        let steps = journal::read(&self.journal);
        let _ = fs::remove_file(&self.journal);
        steps
    }
}
