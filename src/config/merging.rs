//! `[merging]` (also written `[merge]`), `[[merge]]`, `[[never_merge]]` and a source's own `merge`.

use std::time::Duration;

use toml::de::DeValue;
use url::Url;

use crate::config::problem::{Problems, Span};
use crate::config::table::{self, At, Reader, Value};
use crate::config::{MergeRule, Merging, RuleKind, RuleScope};
use crate::model::source::Grounds;
use crate::query;

const HOUR: Duration = Duration::from_secs(3600);
const WINDOW: Duration = Duration::from_secs(72 * 3600);
/// The candidates of a window are kept in memory.
const LONGEST_WINDOW: Duration = Duration::from_secs(30 * 24 * 3600);
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);
const REISSUE_LIMIT: usize = 50;

/// What holds for a source that says nothing else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults {
    pub(super) grounds: Grounds,
    pub(super) reissue_limit: usize,
}

/// The settings and the rules. TOML knows one thing called `merge`: a table of settings, or the list of rules beside `[merging]`.
pub(super) fn merging(root: &mut Reader<'_>, problems: &mut Problems<'_>) -> (Merging, Defaults) {
    let mut rules = Vec::new();
    let mut settings = root.table("merging", "[merging]", problems);
    match root.take("merge") {
        Some(value) if matches!(value.get_ref(), DeValue::Array(_)) => {
            rules.extend(list("[[merge]]", RuleKind::Together, value, problems));
        }
        Some(value) if settings.is_empty() => {
            settings = table::table("[merge]", value, problems).unwrap_or_else(|| Reader::empty("[merge]"));
        }
        Some(value) => problems.add(
            &value.span(),
            "[merge] and [merging] are the same settings".to_owned(),
            Some("keep [merging]".to_owned()),
        ),
        None => {}
    }
    if let Some(value) = root.take("never_merge") {
        rules.extend(list("[[never_merge]]", RuleKind::Apart, value, problems));
    }
    rules.sort_by_key(|(span, _)| span.start);
    let standard = Defaults { grounds: Grounds::default(), reissue_limit: REISSUE_LIMIT };
    let defaults = one(&mut settings, &standard, problems);
    let window = settings.duration("window", HOUR..=LONGEST_WINDOW, problems).map_or(WINDOW, |it| it.value);
    let release_after = settings.duration("release_after", HOUR..=YEAR, problems).map(|it| it.value);
    settings.finish(problems);
    (Merging { window, release_after, rules: rules.into_iter().map(|(_, rule)| rule).collect() }, defaults)
}

pub(super) fn of_source(mut table: Reader<'_>, defaults: &Defaults, problems: &mut Problems<'_>) -> Defaults {
    let read = one(&mut table, defaults, problems);
    table.finish(problems);
    read
}

fn one(table: &mut Reader<'_>, default: &Defaults, problems: &mut Problems<'_>) -> Defaults {
    let Defaults { grounds, reissue_limit } = *default;
    let grounds = Grounds {
        same_guid: table.boolean("same_guid", problems).unwrap_or(grounds.same_guid),
        same_url: table.boolean("same_url", problems).unwrap_or(grounds.same_url),
        same_content: table.boolean("same_content", problems).unwrap_or(grounds.same_content),
        near_duplicate: table.boolean("near_duplicate", problems).unwrap_or(grounds.near_duplicate),
        threshold: table.share("threshold", problems).unwrap_or(grounds.threshold),
        containment: table.share("containment", problems).unwrap_or(grounds.containment),
    };
    let limit = table.number("reissue_limit", 1..=1_000_000, problems);
    Defaults { grounds, reissue_limit: limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(reissue_limit) }
}

fn list(name: &str, kind: RuleKind, value: Value<'_>, problems: &mut Problems<'_>) -> Vec<(Span, MergeRule)> {
    let span = value.span();
    let DeValue::Array(items) = value.into_inner() else {
        problems.add(
            &span,
            format!("{name} must be a list of tables"),
            Some(format!("write {name} on a line of its own")),
        );
        return Vec::new();
    };
    let mut rules = Vec::new();
    for item in items {
        let span = item.span();
        let Some(table) = table::table(name, item, problems) else { continue };
        rules.extend(rule(name, kind, &span, table, problems).map(|rule| (span, rule)));
    }
    rules
}

fn rule(
    name: &str,
    kind: RuleKind,
    span: &Span,
    mut table: Reader<'_>,
    problems: &mut Problems<'_>,
) -> Option<MergeRule> {
    let has_urls = table.has("urls");
    let urls = table.texts("urls", problems);
    let query = table.text("query", problems);
    table.finish(problems);
    let help = Some("write urls = [\"https://a.example/1\", \"https://b.example/2\"] or query = '…'".to_owned());
    match (has_urls, query) {
        (true, None) => {
            let read: Vec<Url> = urls.iter().filter_map(|at| address(at, problems)).collect();
            let distinct: std::collections::BTreeSet<&Url> = read.iter().collect();
            if read.len() == urls.len() && distinct.len() < 2 {
                problems.add(span, format!("{name} must name at least two addresses"), help);
                return None;
            }
            Some(MergeRule { kind, of: RuleScope::Urls(read) })
        }
        (false, Some(At { span, value })) => match query::parse_for_topic(&value) {
            Ok(query) => Some(MergeRule { kind, of: RuleScope::Query(query) }),
            Err(problem) => {
                problems.add(&span, format!("`query`: {problem}"), None);
                None
            }
        },
        (true, Some(_)) => {
            problems.add(span, format!("{name} has both `urls` and `query`"), Some("make two rules of it".to_owned()));
            None
        }
        (false, None) => {
            problems.add(span, format!("{name} names nothing"), help);
            None
        }
    }
}

fn address(at: &At<String>, problems: &mut Problems<'_>) -> Option<Url> {
    let url = Url::parse(&at.value).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if url.is_none() {
        problems.add(
            &at.span,
            format!("`{}` is no address of an entry", at.value),
            Some("write \"https://example.org/news/1\"".to_owned()),
        );
    }
    url
}
