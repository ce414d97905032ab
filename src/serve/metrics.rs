//! Status and counts → Prometheus' text format 0.0.4.

use std::fmt::Write as _;

use crate::published::counters::{Counts, OUTCOMES};
use crate::published::status::{Health, Status};

pub(super) fn write(status: &Status, counts: &Counts) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: Vec<(String, f64)>| {
        let _ = writeln!(text, "# HELP feedmill_{name} {help}\n# TYPE feedmill_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "feedmill_{name}{labels} {value}");
        }
    };
    let one = |value: u64| vec![(String::new(), number(value))];
    let by = |label: &str, names: &[&str], values: &[u64]| {
        names
            .iter()
            .zip(values)
            .map(|(name, value)| (format!("{{{label}=\"{name}\"}}"), number(*value)))
            .collect::<Vec<_>>()
    };
    family("ready", "gauge", "1 when the service keeps what it polls.", one(u64::from(status.not_ready.is_none())));
    family(
        "config_current",
        "gauge",
        "1 when feeds.toml as it is now is in effect.",
        one(u64::from(status.config_problem.is_none())),
    );
    family("entries", "gauge", "Entries in the store.", one(status.entries));
    family("sightings", "gauge", "Sightings in the store.", one(status.sightings));
    family("store_bytes", "gauge", "Size of the store on disk.", one(status.store_bytes));
    family("polls_total", "counter", "Polls by outcome since the start.", by("outcome", &OUTCOMES, &counts.polls));
    let changes = [counts.new, counts.joined, counts.updated];
    family(
        "changes_total",
        "counter",
        "What polls brought since the start.",
        by("kind", &["new", "joined", "updated"], &changes),
    );
    family(
        "http_answers_total",
        "counter",
        "Answers by class of status since the start.",
        by("class", &["1xx", "2xx", "3xx", "4xx", "5xx"], &counts.answers),
    );
    let sources = |value: &dyn Fn(&crate::published::status::SourceStatus) -> Option<f64>| {
        let samples =
            status.sources.iter().filter_map(|source| Some((format!("{{source=\"{}\"}}", source.key), value(source)?)));
        samples.collect::<Vec<_>>()
    };
    family(
        "source_up",
        "gauge",
        "1 when the last poll of the source succeeded.",
        sources(&|it| Some(f64::from(u8::from(matches!(it.health, Health::Good))))),
    );
    family("source_failures", "gauge", "Failed polls in a row.", sources(&|it| Some(f64::from(it.failures))));
    family("source_entries", "gauge", "Sightings stored of the source.", sources(&|it| Some(number(it.entries))));
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
    let last = sources(&|it| it.last_success.map(|at| at.timestamp() as f64));
    family("source_last_success_seconds", "gauge", "When the last poll succeeded, since 1970.", last);
    let reasons = status.sources.iter().filter_map(|source| {
        let reason = source.reason.as_deref()?.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        Some((format!("{{source=\"{}\",health=\"{}\",reason=\"{reason}\"}}", source.key, source.health.name()), 1.0))
    });
    family("source_problem", "gauge", "Why the last poll failed.", reasons.collect());
    text
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn number(value: u64) -> f64 {
    value as f64
}
