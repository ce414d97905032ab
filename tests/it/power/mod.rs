//! Power cuts and failing disks: durability proven, not assumed.
//!
//! A preloaded library (`shim.c`) journals what the daemon writes into its store and what it makes durable. After a kill the store is
//! rebuilt as a power cut would have left it, and everything that was acknowledged or shown must still be there.
//! `FEEDMILL_POWER_ROUNDS=200` makes the tests longer; `FEEDMILL_POWER_SEED` repeats one that failed.

#![expect(clippy::print_stdout, reason = "seeds and figures are told, so that a failure can be repeated")]

mod chance;
mod disk;
mod failing;
mod journal;
mod load;
mod shim;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use feedmill::store::engine::StoreError;
use feedmill::store::sled::SledEngine;

use crate::power::chance::Chance;
use crate::power::disk::{Cut, Disk};
use crate::power::load::Load;
use crate::power::shim::Shim;
use crate::program::{HEAD, Program};

/// Entries of one source after which a new store begins, so that creation is cut often and rounds stay quick.
const LARGEST: usize = 400;

/// Longest time that a daemon is given to store what a round wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// A daemon's home on a disk that can lose power.
struct Bench {
    folder: tempfile::TempDir,
    /// What loses power. The store lies two folders below, so that the folders above it must be durable, too.
    disk: PathBuf,
    shim: Shim,
    load: Load,
    chance: Chance,
    seed: u64,
    acknowledged: usize,
}

impl Bench {
    /// `None` where there can be none.
    fn new(seed: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().canonicalize().unwrap();
        let disk = home.join("disk");
        fs::create_dir(&disk).unwrap();
        let shim = Shim::new(&home, &disk)?;
        let load = Load::new();
        // The index is derived, and written by ways that the shim does not see. What damage does to it is tried in `indexing`.
        let store = "[store]\npath = \"disk/deep/store\"\n[search]\nenabled = false\n";
        fs::write(home.join("feeds.toml"), format!("{HEAD}{store}{}", load.sources())).unwrap();
        println!("FEEDMILL_POWER_SEED={seed}");
        Some(Self { folder, disk, shim, load, chance: Chance::new(seed), seed, acknowledged: 0 })
    }

    fn store(&self) -> PathBuf {
        self.disk.join("deep/store")
    }

    fn socket(&self) -> PathBuf {
        self.store().join("feedmill.sock")
    }

    fn start(&self) -> Result<Program, String> {
        Program::try_start(self.folder.path(), &self.shim.environment())
    }

    fn begin_anew(&mut self) {
        fs::remove_dir_all(&self.disk).unwrap();
        fs::create_dir(&self.disk).unwrap();
        self.load.begin_anew();
    }

    /// Starts the daemon on what the last cut left, lets it work, and cuts the power. Gives the promises that it has broken.
    fn round(&mut self, cut: Cut) -> Vec<String> {
        if self.load.largest() > LARGEST || self.chance.percent(15) {
            self.begin_anew();
        }
        let before = Disk::of(&self.disk);
        let broken = if self.chance.percent(10) {
            self.cut_at_start();
            Vec::new()
        } else {
            match self.start() {
                Ok(program) => self.work(program),
                Err(log) => vec![format!("the daemon does not start: {log}")],
            }
        };
        let steps = self.shim.take_journal();
        disk::check_complete(&self.disk, &before, &steps);
        disk::write(&self.disk, &before.followed(&steps, steps.len()).after(cut, &mut self.chance));
        broken
    }

    /// Opening writes as well, most of all when it is the first time.
    fn cut_at_start(&mut self) {
        let program = Program::spawn(self.folder.path(), &self.shim.environment());
        std::thread::sleep(Duration::from_millis(self.chance.below(400)));
        program.kill();
    }

    fn work(&mut self, program: Program) -> Vec<String> {
        let broken = self.load.broken(&program);
        // Counted in polls, so that a loaded machine is cut at the same places, and then some time into the next ones.
        let wanted = usize::try_from(self.chance.below(25)).unwrap();
        let moment = Duration::from_millis(self.chance.below(40));
        let more = 1 + usize::try_from(self.chance.below(6)).unwrap();
        let (stop, stored) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (load, socket) = (&self.load, self.socket());
        std::thread::scope(|scope| {
            for keys in load::SOURCES.chunks(2) {
                scope.spawn(|| load.keep_polling(&socket, keys, more, &stop, &stored));
            }
            let began = Instant::now();
            // A reader who is shown something at the very last moment was shown it.
            while stored.load(Ordering::Relaxed) < wanted && began.elapsed() < PATIENCE {
                load.look(&program);
            }
            std::thread::sleep(moment);
            load.look(&program);
            program.kill();
            stop.store(true, Ordering::Relaxed);
        });
        self.acknowledged += stored.into_inner();
        broken
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A seed of this test's own, another one each time.
fn seed() -> u64 {
    let chosen = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    number("FEEDMILL_POWER_SEED", chosen.into())
}

fn nothing_is_lost(cut: Cut) {
    let Some(mut bench) = Bench::new(seed()) else { return };
    let rounds = number("FEEDMILL_POWER_ROUNDS", 6);
    for round in 0..rounds {
        let broken = bench.round(cut);
        assert!(broken.is_empty(), "seed {}, round {round}, {cut:?}: {broken:#?}", bench.seed);
    }
    println!("{cut:?}: {rounds} cuts, {} polls acknowledged, nothing lost", bench.acknowledged);
}

#[test]
fn nothing_acknowledged_is_lost_when_only_what_was_synced_survives_a_power_cut() {
    nothing_is_lost(Cut::Strict);
}

#[test]
fn nothing_acknowledged_is_lost_when_a_power_cut_tears_what_was_not_synced() {
    nothing_is_lost(Cut::Torn);
}

/// Proves that the tests above can fail: with the engine's own sync without effect, sled alone loses entries.
#[test]
fn without_the_sync_of_the_engine_a_power_cut_does_lose_entries() {
    let Some(mut bench) = Bench::new(seed()) else { return };
    bench.shim.ignore_fdatasync();
    let most = 40;
    let lost = (0..most).find_map(|round| {
        let broken = bench.round(Cut::Strict);
        (!broken.is_empty()).then_some((round, broken))
    });
    let (round, broken) =
        lost.expect("a store whose syncs do nothing lost nothing: the tests of power cuts prove nothing");
    println!("round {round}: {} promises broken, as is right here", broken.len());
}

/// Opens what each moment of a creation would have left.
#[test]
fn a_cut_at_any_moment_of_creation_leaves_a_store_that_opens() {
    let Some(mut bench) = Bench::new(seed()) else { return };
    let before = Disk::of(&bench.disk);
    bench.start().unwrap().kill();
    let steps = bench.shim.take_journal();
    disk::check_complete(&bench.disk, &before, &steps);
    let torn = usize::try_from(number("FEEDMILL_POWER_ROUNDS", 6) / 6).unwrap();
    let mut tried = BTreeSet::new();
    for end in 0..=steps.len() {
        let disk = before.followed(&steps, end);
        for cut in std::iter::once(Cut::Strict).chain(std::iter::repeat_n(Cut::Torn, torn)) {
            let left = disk.after(cut, &mut bench.chance);
            if !tried.insert(left.clone()) {
                continue;
            }
            disk::write(&bench.disk, &left);
            let opened = SledEngine::open(&bench.store(), 1 << 20).map(drop);
            let opened = opened.map_err(|error: StoreError| error.to_string());
            assert_eq!(opened, Ok(()), "seed {}, {cut:?} after {end} of {} steps", bench.seed, steps.len());
        }
    }
    println!("{} moments of a creation, {} different stores", steps.len(), tried.len());
}
