//! How to search: the query language with examples.

use askama::Template;
use url::form_urlencoded;

use crate::published::status::Status;
use crate::serve::page::{Frame, Named};

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    examples: Vec<Example>,
    fields: &'static [(&'static str, &'static str)],
    topics: Vec<Named>,
}

struct Example {
    query: &'static str,
    href: String,
    meaning: &'static str,
}

const EXAMPLES: [(&str, &str); 8] = [
    ("north korea", "both words, anywhere in title or text"),
    ("\"north korea\"", "the phrase"),
    ("summit OR talks", "one of them"),
    ("summit -sports", "the first, without the second"),
    ("nuclear*", "words that begin so"),
    ("title:election newer:24h", "in the title, of the last day"),
    ("(title:summit OR category:world) lang:en", "brackets group"),
    ("has:enclosure", "with something to hear or see"),
];

const FIELDS: &[(&str, &str)] = &[
    ("title:", "words of the title"),
    ("author:", "words of an author's name"),
    ("category:", "a whole category, in quotation marks if it has blanks"),
    ("source:", "the key of a source"),
    ("topic:", "the key of a topic"),
    ("lang:", "a language: en, pt-BR"),
    ("url:", "a part of the address"),
    ("has:enclosure", "sound, film or another file belongs to it"),
    ("after: before:", "a day, as 2026-11-01"),
    ("newer:", "how old at the most: 24h, 7d"),
];

pub(in crate::serve) fn page(status: &Status) -> String {
    let examples = EXAMPLES.map(|(query, meaning)| {
        let parameters = form_urlencoded::Serializer::new(String::new()).append_pair("q", query).finish();
        Example { query, href: format!("search?{parameters}"), meaning }
    });
    let topics =
        status.topics.iter().map(|topic| Named { title: topic.key.to_string(), href: format!("topics/{}", topic.key) });
    let written = SearchPage {
        frame: Frame::new(status, ""),
        examples: examples.into(),
        fields: FIELDS,
        topics: topics.collect(),
    };
    // Writing into memory cannot fail.
    written.render().unwrap_or_default()
}
