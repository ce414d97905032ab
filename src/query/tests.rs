use proptest::prelude::*;

use crate::model::Timestamp;
use crate::model::source::{SourceKey, TopicKey};
use crate::query::{Branching, Candidate, Explained, Facts, Query, parse, parse_for_topic};

fn at(text: &str) -> Timestamp {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// Asks something of this one piece of news.
fn asked<T>(ask: impl FnOnce(&Candidate<'_>, Timestamp) -> T) -> T {
    let source = SourceKey::new("bbc-world").unwrap();
    let topics = [TopicKey::new("world-news").unwrap()];
    let candidate = Candidate::new(Facts {
        title: Some("Leaders sign mutual defense pact in Zürich"),
        text_html: &["<p>The summit ended.</p>", "<p>A don’t-miss deal for 3,000 sheep.</p>"],
        authors: &["Desk of the World"],
        categories: &["World News", "politics"],
        source: &source,
        topics: &topics,
        language: Some("en-GB"),
        url: Some("https://example.org/World/pact?id=7"),
        published: at("2026-11-01T12:00:00Z"),
        has_enclosure: false,
    });
    ask(&candidate, at("2026-11-02T00:00:00Z"))
}

fn read(query: &str) -> Query {
    parse(query).unwrap_or_else(|problem| panic!("{query}: {problem}"))
}

/// Whether the query finds it; its explanation says the same.
fn finds(query: &str) -> bool {
    let read = read(query);
    let (matches, explained) = asked(|candidate, now| (read.matches(candidate, now), read.explain(candidate, now)));
    assert_eq!(explained.holds, matches, "{query}");
    matches
}

/// An explanation on one line.
fn told(explained: &Explained) -> String {
    let answer = if explained.holds { "yes" } else { "no" };
    let branches: Vec<String> = explained.branches.iter().map(told).collect();
    match explained.branching {
        Branching::Term => format!("{}: {answer}", explained.text),
        Branching::All => format!("all of [{}]: {answer}", branches.join(", ")),
        Branching::Any => format!("any of [{}]: {answer}", branches.join(", ")),
        Branching::Not => format!("not [{}]: {answer}", branches.join(", ")),
    }
}

#[test]
fn an_explanation_answers_at_every_branch() {
    for (query, expected) in [
        ("title:summit", "title:\"summit\": no"),
        ("Zurich", "\"zurich\": yes"),
        ("-sports", "not [\"sports\": no]: yes"),
        (
            "pact (title:summit OR category:politics) -summit",
            "all of [\"pact\": yes, any of [title:\"summit\": no, category:\"politics\": yes]: yes, not [\"summit\": yes]: no]: no",
        ),
    ] {
        let query = read(query);
        assert_eq!(told(&asked(|candidate, now| query.explain(candidate, now))), expected, "{query}");
    }
}

#[test]
fn queries_find_what_they_mean() {
    for query in [
        "summit",
        "SUMMIT pact",
        "\"mutual defense\"",
        "zurich",
        "sheep -sports",
        "sports OR summit",
        "(a OR pact) summit",
        "-(sports football)",
        "leade*",
        "\"mutual def\"*",
        "title:pact",
        "author:desk",
        "author:\"the world\"",
        "category:politics",
        "category:\"world news\"",
        "source:bbc-world",
        "topic:world-news",
        "lang:en",
        "lang:en-gb",
        "url:example.org/world",
        "-has:enclosure",
        "after:2026-11-01",
        "after:2026",
        "before:2026-11-02",
        "newer:24h",
        "3,000",
        "don't",
        "a AND pact",
        "--summit",
        "sports OR pact -football",
    ] {
        assert!(finds(query), "{query}");
    }
}

#[test]
fn queries_leave_out_what_they_do_not_mean() {
    for query in [
        "sports",
        "summit -pact",
        "\"defense mutual\"",
        "summ",
        "title:summit",
        "author:summit",
        "category:world",
        "source:bbc",
        "topic:world",
        "lang:e",
        "has:enclosure",
        "after:2026-11-02",
        "before:2026-11-01",
        "newer:12h",
        "-(sports OR summit)",
        "\"ended a\"",
        "pact (sports OR football)",
    ] {
        assert!(!finds(query), "{query}");
    }
}

fn check_problem(query: &str, expected: &str) {
    assert_eq!(
        parse(query).map(|query| query.to_string()).map_err(|problem| problem.to_string()),
        Err(expected.to_owned()),
        "{query}"
    );
}

#[test]
fn problems_say_where_and_what_to_do() {
    check_problem("", "character 1: something is missing here (write a word)");
    check_problem("a OR", "character 5: something is missing here (write a word)");
    check_problem("OR a", "character 1: an operator needs something on both sides (quote it to look for the word)");
    check_problem("a (b", "character 3: this bracket is not closed (add a `)`)");
    check_problem("a) b", "character 2: this bracket closes nothing (remove it)");
    check_problem("()", "character 2: nothing stands before this bracket (write a word or remove it)");
    check_problem("é \"b", "character 3: a quote is not closed (add a closing \")");
    check_problem("titel:x", "character 1: there is no field `titel:` (did you mean `title:`?)");
    check_problem("http://x", "character 1: there is no field `http:` (quote it to look for it as text)");
    check_problem("a - b", "character 3: `-` stands alone (write -word without a blank, or quote it)");
    check_problem("title:", "character 7: nothing follows `title:` (put its value right behind it)");
    check_problem("title:(a)", "character 7: a bracket cannot follow `title:` (write (title:one OR title:other))");
    check_problem("…", "character 1: `…` has neither letters nor digits (only words can be looked for)");
    check_problem("after:soon", "character 7: `soon` is no date (write 2026-11-01)");
    check_problem("newer:24", "character 7: `24` is no span of time (write 24h or 7d)");
    check_problem("has:fun", "character 5: `has:fun` is not known (has:enclosure)");
    check_problem(
        "source:b*",
        "character 8: `*` means nothing behind `source:` (it stands behind words, also of title: and author:)",
    );
}

#[test]
fn size_and_depth_are_bounded() {
    assert!(parse(&"(".repeat(1_000)).unwrap_err().what.contains("nested"));
    assert!(parse(&"a ".repeat(101)).unwrap_err().what.contains("100 terms"));
    assert!(parse(&"a".repeat(2_001)).unwrap_err().what.contains("2000"));
}

#[test]
fn a_topic_cannot_ask_for_age() {
    let problem = parse_for_topic("world newer:24h").unwrap_err();
    assert_eq!(
        problem.to_string(),
        "character 7: `newer:` cannot decide who belongs to a topic (use the topic's max_age)"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_never_panics(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn a_shown_query_reads_as_itself(
        text in "(-?(\\()?(title:|author:|category:|lang:|)(\"[a-zé ]{1,5}x\"|[a-zß]{1,4}\\*?|2026)(\\))? (OR |AND )?){1,6}x"
    ) {
        if let Ok(query) = parse(&text) {
            let shown = query.to_string();
            prop_assert_eq!(parse(&shown), Ok(query), "{}", shown);
        }
    }
}
