//! Disks that fail under a running daemon: full, read-only, or unable to sync. Readers are served on, nothing acknowledged is lost,
//! and when the disk is well again the daemon goes on by itself.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::power::disk::{self, Cut, Disk};
use crate::power::load::SOURCES;
use crate::power::shim::Mood;
use crate::power::{Bench, number, seed};
use crate::program::Program;

/// Asks until the answer has this status. Snapshots of the status are made once a second.
fn wait_for_status(program: &Program, path: &str, status: u16) -> String {
    let began = Instant::now();
    loop {
        let answer = program.get(path);
        if answer.status == status {
            return answer.text();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{path} answers {}: {}", answer.status, answer.text());
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Bench {
    /// Lets the disk fail while everything is polled, and waits until the daemon has seen it.
    fn fail(&mut self, program: &mut Program, mood: Mood) {
        let moment = Duration::from_millis(self.chance.below(200));
        let (stop, stored) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (load, shim, socket) = (&self.load, &self.shim, self.socket());
        std::thread::scope(|scope| {
            for keys in SOURCES.chunks(2) {
                scope.spawn(|| load.keep_polling(&socket, keys, 3, &stop, &stored));
            }
            std::thread::sleep(moment);
            shim.set(mood);
            program.wait_for("the store cannot be written");
            stop.store(true, Ordering::Relaxed);
        });
        self.acknowledged += stored.into_inner();
    }

    /// A failure from its beginning to its end, and a power cut after it.
    fn failing_round(&mut self, mood: Mood) {
        if self.chance.percent(15) {
            self.begin_anew();
        }
        let before = Disk::of(&self.disk);
        let mut program = self.start().unwrap();
        assert!(self.load.poll_again(&self.socket(), SOURCES[0], 2));
        wait_for_status(&program, "/readyz", 200);
        self.fail(&mut program, mood);

        let reason = wait_for_status(&program, "/readyz", 503);
        assert!(reason.contains("store"), "{reason}");
        for path in ["/all.atom", "/all.json", "/healthz", "/"] {
            assert_eq!(program.get(path).status, 200, "{path}");
        }
        let unready = program.get("/sources/a.json");
        assert_eq!(unready.status, 503);
        assert!(unready.headers.contains_key("retry-after"));
        assert!(!self.load.poll(&self.socket(), SOURCES[1], 0), "nothing is acknowledged that cannot be stored");
        self.load.look(&program);

        self.shim.set(Mood::Healthy);
        program.wait_for("the store can be written again");
        wait_for_status(&program, "/readyz", 200);
        let broken = self.load.broken(&program);
        assert!(broken.is_empty(), "seed {}, {mood:?}: {broken:#?}", self.seed);
        for key in SOURCES {
            assert!(
                self.load.poll_again(&self.socket(), key, 2),
                "seed {}, {mood:?}: {key} is polled again",
                self.seed
            );
        }
        let broken = self.load.broken(&program);
        assert!(broken.is_empty(), "seed {}, {mood:?}: {broken:#?}", self.seed);
        self.load.look(&program);
        program.kill();
        let steps = self.shim.take_journal();
        disk::check_complete(&self.disk, &before, &steps);
        disk::write(&self.disk, &before.followed(&steps, steps.len()).after(Cut::Strict, &mut self.chance));
    }
}

fn check(mood: impl Fn(&mut Bench) -> Mood) {
    let Some(mut bench) = Bench::new(seed()) else { return };
    let rounds = number("FEEDMILL_DISK_ROUNDS", 1);
    for _ in 0..rounds {
        let mood = mood(&mut bench);
        bench.failing_round(mood);
    }
    let program = bench.start().unwrap();
    let broken = bench.load.broken(&program);
    assert!(broken.is_empty(), "seed {}: {broken:#?}", bench.seed);
    println!("{rounds} failures, {} polls acknowledged, nothing lost", bench.acknowledged);
}

#[test]
fn a_full_disk_loses_nothing_and_polling_goes_on_when_there_is_room() {
    check(|bench| Mood::Full(bench.chance.one_of(&[0, 300, 5_000, 100_000])));
}

#[test]
fn a_disk_that_became_read_only_loses_nothing_and_polling_goes_on_when_it_can_be_written() {
    check(|_| Mood::ReadOnly);
}

#[test]
fn a_disk_that_cannot_sync_loses_nothing_and_polling_goes_on_when_it_can() {
    check(|_| Mood::SyncFails);
}

#[test]
fn an_edit_while_the_disk_is_full_is_in_effect_when_there_is_room() {
    let Some(mut bench) = Bench::new(seed()) else { return };
    let mut program = bench.start().unwrap();
    assert!(bench.load.poll_again(&bench.socket(), SOURCES[0], 3));
    bench.fail(&mut program, Mood::Full(0));
    let file = bench.folder.path().join("feeds.toml");
    let edited = format!("{}[topics.edited]\ntitle = \"Edited\"\nmatch = 'news'\n", fs::read_to_string(&file).unwrap());
    fs::write(&file, edited).unwrap();
    program.wait_for("the edited configuration is not in effect");
    bench.shim.set(Mood::Healthy);
    program.wait_for("the edited configuration is in effect");
    assert!(!bench.load.promises.lock().unwrap().stored.is_empty());
    wait_for_status(&program, "/topics/edited.json", 200);
}
