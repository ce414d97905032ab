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
        "“mutual defense”",
        "ＰＡＣＴ",
        "\"ｍｕｔｕａｌ\u{3000}defense\"",
        "zu\u{308}rich",
        "title:zürich",
        "title:\"pact in zur\"*",
        "category:\"WORLD news\"",
        "lang:EN_gb",
        "after:2026-11",
        "after:2026-11-01T12:00:00Z",
        "before:2027",
        "pact regex:/def[ea]n[sc]e/",
        "pact regex:/Zürich$/",
        "pact regex:/for (\\d+),\\d+ sheep/",
        "source:bbc-world regex:/summit/",
        "-regex:/football/ summit",
        "summit -regex:/foot\\/ball/",
        "(regex:/football/ OR sheep) summit",
        "pact (regex:/summit/ OR regex:/football/)",
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
        "lang:de",
        "lang:en-us",
        "has:enclosure",
        "after:2026-11-02",
        "before:2026-11-01",
        "newer:12h",
        "-(sports OR summit)",
        "\"ended a\"",
        "pact (sports OR football)",
        "\"pact zurich\"",
        "title:\"in pact\"",
        "\"zürich the\"",
        "author:\"desk world\"",
        "before:2026-11-01T12:00:00Z",
        "after:2027",
        "newer:43200s",
        "url:football",
        "pact -regex:/zur/",
        "pact regex:/^summit/",
        "football regex:/pact/",
        "sports summit OR football pact",
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
    for (query, expected) in [
        ("", "character 1: something is missing here (write a word)"),
        ("a OR", "character 5: something is missing here (write a word)"),
        ("ßé AND", "character 7: something is missing here (write a word)"),
        ("OR a", "character 1: an operator needs something on both sides (quote it to look for the word)"),
        ("é AND OR b", "character 7: an operator needs something on both sides (quote it to look for the word)"),
        ("a (b", "character 3: this bracket is not closed (add a `)`)"),
        ("日本 (b", "character 4: this bracket is not closed (add a `)`)"),
        ("a) b", "character 2: this bracket closes nothing (remove it)"),
        ("()", "character 2: nothing stands before this bracket (write a word or remove it)"),
        ("é \"b", "character 3: a quote is not closed (add a closing \")"),
        ("titel:x", "character 1: there is no field `titel:` (did you mean `title:`?)"),
        ("日本 titel:x", "character 4: there is no field `titel:` (did you mean `title:`?)"),
        ("Title:x", "character 1: there is no field `Title:` (did you mean `title:`?)"),
        ("auhtor:x", "character 1: there is no field `auhtor:` (did you mean `author:`?)"),
        ("breaking: news", "character 1: there is no field `breaking:` (quote it to look for it as text)"),
        ("ü language:(en)", "character 3: there is no field `language:` (quote it to look for it as text)"),
        ("http://x", "character 1: there is no field `http:` (quote it to look for it as text)"),
        ("12:30", "character 1: there is no field `12:` (quote it to look for it as text)"),
        ("a - b", "character 3: `-` stands alone (write -word without a blank, or quote it)"),
        ("title:", "character 7: nothing follows `title:` (put its value right behind it)"),
        ("über title: x", "character 12: nothing follows `title:` (put its value right behind it)"),
        ("title:(a)", "character 7: a bracket cannot follow `title:` (write (title:one OR title:other))"),
        ("category:\" \"", "character 10: nothing stands in `category:`"),
        ("…", "character 1: `…` has neither letters nor digits (only words can be looked for)"),
        ("é title:…", "character 9: `…` has neither letters nor digits (only words can be looked for)"),
        ("after:soon", "character 7: `soon` is no date (write 2026-11-01)"),
        ("é before:2026-13-01", "character 10: `2026-13-01` is no date (write 2026-11-01)"),
        ("newer:24", "character 7: `24` is no span of time (write 24h or 7d)"),
        ("newer:3é", "character 7: `3é` is no span of time (write 24h or 7d)"),
        ("has:fun", "character 5: `has:fun` is not known (has:enclosure)"),
        ("lang:english", "character 6: `english` is no language code (write lang:en or lang:pt-br)"),
        (
            "source:b*",
            "character 8: `*` means nothing behind `source:` (it stands behind words, also of title: and author:)",
        ),
        ("regex:word", "character 7: a pattern stands between slashes (write regex:/cve-\\d+/ beside another word)"),
        ("é regex:/a b", "character 9: the pattern is not closed (add a closing /)"),
        ("é regex://", "character 10: the pattern is empty (write regex:/…/)"),
        (
            "é regex:/a/i",
            "character 12: something stands right behind the pattern (put a blank behind it; capitals and small letters are the same anyway)",
        ),
        ("日 regex:/é(b/", "character 11: the pattern has a mistake: unclosed group"),
    ] {
        check_problem(query, expected);
    }
}

#[test]
fn a_pattern_needs_another_term_beside_it() {
    for (query, position) in [
        ("regex:/a/", 1),
        ("é OR regex:/a/", 6),
        ("-regex:/a/", 2),
        ("-é regex:/a/", 4),
        ("regex:/b/ regex:/a/", 1),
        ("(regex:/b/ é) OR regex:/a/", 18),
        ("(é OR -x) regex:/a/", 11),
        ("(é OR regex:/b/) regex:/a/", 7),
    ] {
        check_problem(
            query,
            &format!(
                "character {position}: `regex:` needs another term beside it \
                 (add a word, or source:, category: or another field, without `-` and not behind OR)"
            ),
        );
    }
}

#[test]
fn operators_bind_as_they_should() {
    for (query, same) in [
        ("a b OR c d", "(a b) OR (c d)"),
        ("a AND b OR c", "(a b) OR c"),
        ("a OR b OR c", "a OR b OR c"),
        ("a (b c)", "a b c"),
        ("-a b", "(-a) b"),
        ("-a OR b", "(-a) OR b"),
        ("-(a b) c", "(-(a b)) c"),
        ("--a", "a"),
        ("a-b", "\"a b\""),
        ("a or b", "a \"or\" b"),
        ("\"OR\" a", "\"or\" a"),
        ("title:a*", "title:\"a\"*"),
        ("x regex:/a b\"(c)\\/d/", "x regex:/a b\"(c)\\/d/"),
    ] {
        assert_eq!(read(query), read(same), "{query}");
    }
}

#[test]
fn a_silent_feed_speaks_the_language_of_its_text() {
    let source = SourceKey::new("wire").unwrap();
    let french = "<p>Les dirigeants des deux pays ont signé dimanche un pacte de défense mutuelle, après des discussions \
                  qui avaient duré toute la nuit.</p>";
    for (claimed, text, query, expected) in [
        (None, french, "lang:fr", true),
        (None, french, "lang:en", false),
        (Some("en"), french, "lang:fr", false),
        (Some("en"), french, "lang:en", true),
        (None, "<p>Pacte signé</p>", "lang:fr", false),
        (None, "<p>Pacte signé</p>", "-lang:fr", true),
    ] {
        let texts = [text];
        let candidate = Candidate::new(Facts {
            title: Some("Pacte"),
            text_html: &texts,
            authors: &[],
            categories: &[],
            source: &source,
            topics: &[],
            language: claimed,
            url: None,
            published: at("2026-11-01T12:00:00Z"),
            has_enclosure: false,
        });
        let found = read(query).matches(&candidate, at("2026-11-02T00:00:00Z"));
        assert_eq!(found, expected, "{query} of {claimed:?}: {text}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    assert!(parse(&"(".repeat(1_000)).unwrap_err().what.contains("nested"));
    assert!(parse(&"a ".repeat(101)).unwrap_err().what.contains("100 terms"));
    assert!(parse(&"a".repeat(2_001)).unwrap_err().what.contains("2000"));
    assert!(parse(&format!("a {}", "regex:/b/ ".repeat(6))).unwrap_err().what.contains("5 patterns"));
    assert_eq!(parse(&format!("é regex:/{}/", "a".repeat(201))).unwrap_err().position, 210);
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
        if let Err(problem) = parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&problem.position), "{}", problem);
        }
    }

    #[test]
    fn mistakes_stand_within_the_text(text in "(é|titel:|title:|lang:|regex:/|[\\\\(\\)\\[*+\"/\n -]|a|OR ){1,12}") {
        if let Err(problem) = parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&problem.position), "{}", problem);
        }
    }

    #[test]
    fn a_shown_query_reads_as_itself(
        text in "(-?(\\()?(regex:/[a-zé \\(\\)\"]{1,5}/|(title:|author:|category:|lang:|)(\"[a-zé ]{1,5}x\"|“[a-z ]{1,3}x”|[a-zßＡ]{1,4}\\*?|2026))(\\))? (OR |AND )?){1,6}x"
    ) {
        if let Ok(query) = parse(&text) {
            let shown = query.to_string();
            prop_assert_eq!(parse(&shown), Ok(query), "{}", shown);
        }
    }
}
