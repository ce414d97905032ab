//! Status and counts → Prometheus' text format 0.0.4.

use std::fmt::Write as _;

use crate::published::counters::{Counts, OUTCOMES};
use crate::published::hub::HubCounts;
use crate::published::status::{Health, SearchStatus, SourceStatus, Status};

/// A metric's samples: labels in braces, and value.
type Samples = Vec<(String, f64)>;

pub(super) fn write(status: &Status, counts: &Counts) -> String {
    let mut text = String::new();
    service(&mut text, status);
    if let Some(status) = &status.search {
        search(&mut text, status);
    }
    since_start(&mut text, counts);
    hub(&mut text, &counts.hub);
    sources(&mut text, &status.sources);
    text
}

fn family(text: &mut String, name: &str, kind: &str, help: &str, samples: Samples) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP feedmill_{name} {help}\n# TYPE feedmill_{name} {kind}");
    for (labels, value) in samples {
        let _ = writeln!(text, "feedmill_{name}{labels} {value}");
    }
}

fn service(text: &mut String, status: &Status) {
    let mut gauge = |name, help, value| family(text, name, "gauge", help, vec![(String::new(), number(value))]);
    gauge("ready", "1 when the service keeps what it polls.", u64::from(status.not_ready.is_none()));
    gauge("config_current", "1 when feeds.toml as it is now is in effect.", u64::from(status.config_problem.is_none()));
    gauge("entries", "Entries in the store.", status.entries);
    gauge("sightings", "Sightings in the store.", status.sightings);
    gauge("store_bytes", "Size of the store on disk.", status.store_bytes);
}

fn search(text: &mut String, status: &SearchStatus) {
    let mut gauge = |name, help, value| family(text, name, "gauge", help, vec![(String::new(), number(value))]);
    gauge("search_ready", "1 when searches run on the index.", u64::from(status.note.is_none()));
    gauge("search_documents", "Sightings in the index.", status.documents);
    gauge("search_commits_behind", "Commits of the store that the index does not have yet.", status.behind);
    gauge("search_bytes", "Size of the index on disk.", status.bytes);
}

fn since_start(text: &mut String, counts: &Counts) {
    let by = |label: &str, names: &[&str], values: &[u64]| -> Samples {
        names.iter().zip(values).map(|(name, value)| (format!("{{{label}=\"{name}\"}}"), number(*value))).collect()
    };
    let mut counter = |name, help, samples| family(text, name, "counter", help, samples);
    let changes = by("kind", &["new", "joined", "updated"], &[counts.new, counts.joined, counts.updated]);
    let answers = by("class", &["1xx", "2xx", "3xx", "4xx", "5xx"], &counts.answers);
    counter("polls_total", "Polls by outcome since the start.", by("outcome", &OUTCOMES, &counts.polls));
    counter("changes_total", "What polls brought since the start.", changes);
    counter("http_answers_total", "Answers by class of status since the start.", answers);
}

fn hub(text: &mut String, counts: &HubCounts) {
    let mut gauge = |name, help, value| family(text, name, "gauge", help, vec![(String::new(), number(value))]);
    gauge("hub_subscriptions", "Subscriptions at the hub.", counts.subscriptions);
    gauge("hub_waiting", "Subscriptions that have not been told everything.", counts.waiting);
    let by = |names: [&str; 2], values: [u64; 2]| -> Samples {
        names.iter().zip(values).map(|(name, value)| (format!("{{outcome=\"{name}\"}}"), number(value))).collect()
    };
    let mut counter = |name, help, samples| family(text, name, "counter", help, samples);
    let deliveries = by(["taken", "failed"], [counts.delivered, counts.failed]);
    let verifications = by(["confirmed", "refused"], [counts.verified, counts.unverified]);
    counter("hub_deliveries_total", "Deliveries to subscribers since the start.", deliveries);
    counter("hub_verifications_total", "Callbacks asked whether they want it, since the start.", verifications);
}

fn sources(text: &mut String, sources: &[SourceStatus]) {
    let mut gauge = |name, help, value: &dyn Fn(&SourceStatus) -> Option<f64>| {
        let samples =
            sources.iter().filter_map(|source| Some((format!("{{source=\"{}\"}}", source.key), value(source)?)));
        family(text, name, "gauge", help, samples.collect());
    };
    let is_good = |source: &SourceStatus| f64::from(u8::from(source.health == Health::Good));
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
    let last = |source: &SourceStatus| source.last_success.map(|at| at.timestamp() as f64);
    gauge("source_up", "1 when the last poll of the source succeeded.", &|source| Some(is_good(source)));
    gauge("source_failures", "Failed polls in a row.", &|source| Some(f64::from(source.failures)));
    gauge("source_entries", "Sightings stored of the source.", &|source| Some(number(source.entries)));
    gauge("source_held_entries", "Entries held back as a mass re-issue.", &|source| Some(number(source.held)));
    gauge("source_last_success_seconds", "When the last poll succeeded, since 1970.", &last);
    family(text, "source_problem", "gauge", "Why the last poll failed.", sources.iter().filter_map(problem).collect());
}

fn problem(source: &SourceStatus) -> Option<(String, f64)> {
    let reason = source.reason.as_deref()?.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    Some((format!("{{source=\"{}\",health=\"{}\",reason=\"{reason}\"}}", source.key, source.health.name()), 1.0))
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn number(value: u64) -> f64 {
    value as f64
}
