//! What the evaluation prints: see scripts/evaluate.

use std::fmt::Write as _;

use super::score::{self, Outcomes, Ready, Share, Tally};
use super::set::Half;

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) half: Half,
    /// Lists the wrong pairs.
    pub(super) wrong: bool,
    /// Prints precision, recall and F1 over the thresholds.
    pub(super) curve: bool,
    /// Lines of `[merging]`.
    pub(super) settings: String,
}

impl Request {
    /// Reads the words of the command line.
    ///
    /// # Errors
    /// When a word is unknown, or would tune on the half that is held back.
    pub(super) fn read(words: &str) -> Result<Self, String> {
        let mut request = Self { half: Half::Tuning, wrong: false, curve: false, settings: String::new() };
        for word in words.split_whitespace() {
            match word {
                "--held-back" => request.half = Half::HeldBack,
                "--wrong" => request.wrong = true,
                "--curve" => request.curve = true,
                setting if setting.contains('=') => request.settings.extend([setting, "\n"]),
                _ => return Err(format!("`{word}` is none of --held-back, --wrong, --curve and NAME=VALUE")),
            }
        }
        if request.half == Half::HeldBack && (request.wrong || request.curve) {
            return Err("--wrong and --curve look at pairs one could tune on: not with --held-back".to_owned());
        }
        Ok(request)
    }
}

/// The whole answer to a request.
pub(super) fn report(pairs: &[Ready], absent: usize, request: &Request) -> String {
    if request.curve {
        return curve(pairs, &request.settings);
    }
    let outcomes = score::judge(pairs, &request.settings);
    let mut text = summary(pairs, &outcomes, request.half);
    if absent > 0 {
        writeln!(text, "{absent} pairs were skipped: the captured documents that they draw on are not at hand")
            .unwrap();
    }
    if request.wrong {
        text.push_str(&wrong(pairs, &outcomes));
    }
    text
}

fn summary(pairs: &[Ready], outcomes: &[Outcomes], half: Half) -> String {
    let (classes, total) = score::tallies(pairs, outcomes);
    let mut text = format!("The {} half of the set, with 95 % intervals (Wilson)\n\n", half.name());
    writeln!(
        text,
        "{:<14}{:>6}{:>5}{:>5}{:>5}{:>5}  {:<24}{:<24}{:>6}",
        "class", "pairs", "tp", "fp", "tn", "fn", "precision", "recall", "F1"
    )
    .unwrap();
    for (class, tally) in classes.iter().map(|(class, tally)| (class.as_str(), tally)).chain([("all", &total)]) {
        let f1 = tally.f1().map_or("-".to_owned(), |f1| format!("{f1:.3}"));
        writeln!(
            text,
            "{class:<14}{:>6}{:>5}{:>5}{:>5}{:>5}  {:<24}{:<24}{f1:>6}",
            tally.pairs(),
            tally.true_positives,
            tally.false_positives,
            tally.true_negatives,
            tally.false_negatives,
            told(tally.precision()),
            told(tally.recall()),
        )
        .unwrap();
    }
    let differ = outcomes.iter().filter(|[one, other]| one.join.is_some() != other.join.is_some()).count();
    let strays: usize = outcomes.iter().flatten().map(|outcome| outcome.strays.len()).sum();
    writeln!(text, "\n{differ} pairs are joined in one order of polling and not in the other; they count as wrong")
        .unwrap();
    writeln!(text, "{strays} joins of entries that are not under test").unwrap();
    text
}

fn told(share: Share) -> String {
    let (Some(value), Some((low, high))) = (share.value(), share.interval()) else { return "-".to_owned() };
    format!("{value:.3} ({low:.3} to {high:.3})")
}

/// The pairs that were taken for what they are not, with the reasons of either order.
fn wrong(pairs: &[Ready], outcomes: &[Outcomes]) -> String {
    let mut text = String::new();
    for (Ready { pair, documents, .. }, outcomes) in pairs.iter().zip(outcomes) {
        let is_wrong = score::is_found(pair, outcomes) != pair.same;
        let strays = outcomes.iter().flat_map(|outcome| &outcome.strays);
        if is_wrong {
            let kind = if pair.same { "missed" } else { "wrongly joined" };
            let [left, right] = documents.each_ref().map(|document| document.title.as_str());
            writeln!(text, "\n{}: {kind} ({}, {})\n  {left} | {right}", pair.id, pair.family, pair.language).unwrap();
            for (first, outcome) in ["left", "right"].into_iter().zip(outcomes) {
                let why = outcome.join.as_ref().map_or("apart".to_owned(), |join| {
                    format!("{} {:.2}, {}", join.ground.name(), join.score, join.evidence)
                });
                writeln!(text, "  {first} first: {why}").unwrap();
            }
        }
        for stray in strays {
            writeln!(text, "{}{}: beside it: {stray}", if is_wrong { "  " } else { "\n" }, pair.id).unwrap();
        }
    }
    text
}

/// Precision, recall and F1 over the two thresholds, as a table for the docs.
fn curve(pairs: &[Ready], settings: &str) -> String {
    let columns: Vec<f64> = (5..=10).map(|tenth| f64::from(tenth) / 10.0).collect();
    let mut text = String::from("Precision / recall / F1 by `threshold` (down) and `containment` (across)\n\n| |");
    for containment in &columns {
        write!(text, " {containment:.1} |").unwrap();
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(columns.len()));
    for threshold in (3..=9).map(|tenth| f64::from(tenth) / 10.0) {
        write!(text, "\n| {threshold:.1} |").unwrap();
        for containment in &columns {
            let settings = format!("{settings}threshold = {threshold:.1}\ncontainment = {containment:.1}\n");
            let (_, total) = score::tallies(pairs, &score::judge(pairs, &settings));
            write!(text, " {} |", cell(&total)).unwrap();
        }
    }
    text + "\n"
}

fn cell(tally: &Tally) -> String {
    let told = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    [tally.precision().value(), tally.recall().value(), tally.f1()].map(told).join(" / ")
}
