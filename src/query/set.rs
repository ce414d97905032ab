//! Many queries, asked at once of one sighting: which of them find it?
//!
//! Each query is filed under something that a sighting must have to be found by it: of all that it needs, what looks rarest. A
//! sighting's words, categories and so on look up the few queries that may find it, and the one matcher decides about these. What
//! needs nothing certain is asked every time.

use std::collections::{HashMap, HashSet};

use crate::model::Timestamp;
use crate::query::{Candidate, Field, Needs, Query};
use crate::text;

/// Queries of one letter more or less are told apart by the matcher.
const PREFIX: usize = 4;

/// Queries that are asked together. Their numbers are their places in the list that the set was made of.
#[derive(Debug, Default)]
pub struct Set {
    queries: Vec<Query>,
    /// Under what a sighting may have, the queries that need it.
    filed: HashMap<Kind, HashMap<String, Vec<usize>>>,
    /// Lengths in bytes of all that is filed as the beginning of a word.
    beginnings: Vec<usize>,
    /// Queries that need nothing certain.
    always: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// Of title or text.
    Word,
    Title,
    /// The first letters of a word of title or text.
    Beginning,
    Author,
    Category,
    Source,
    Topic,
    /// The first part of its tag.
    Language,
}

type Key = (Kind, String);

impl Set {
    pub fn new(queries: Vec<Query>) -> Self {
        let ways: Vec<Way> = queries.iter().map(|query| Way::of(&query.needs())).collect();
        let mut uses: HashMap<Key, u64> = HashMap::new();
        for way in &ways {
            let mut keys = HashSet::new();
            way.gather(&mut keys);
            for key in keys {
                *uses.entry(key.clone()).or_default() += 1;
            }
        }
        let mut set = Self { queries, ..Self::default() };
        for (number, way) in ways.iter().enumerate() {
            match way.rarest(&uses) {
                Some((_, keys)) => keys.into_iter().for_each(|key| set.file(key, number)),
                None => set.always.push(number),
            }
        }
        let beginnings = set.filed.get(&Kind::Beginning).into_iter().flat_map(HashMap::keys).map(String::len);
        set.beginnings = beginnings.collect();
        set.beginnings.sort_unstable();
        set.beginnings.dedup();
        set
    }

    fn file(&mut self, (kind, name): &Key, number: usize) {
        let numbers = self.filed.entry(*kind).or_default().entry(name.clone()).or_default();
        if numbers.last() != Some(&number) {
            numbers.push(number);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.queries.is_empty()
    }

    /// The numbers of the queries that find the sighting, in order: those whose [`Query::matches`] says so.
    pub fn matching(&self, candidate: &Candidate<'_>, now: Timestamp) -> Vec<usize> {
        let mut found = self.proposed(candidate);
        found.retain(|number| self.queries[*number].matches(candidate, now));
        found
    }

    /// Every query that may find the sighting, in order.
    fn proposed(&self, candidate: &Candidate<'_>) -> Vec<usize> {
        let mut looking = Looking { set: self, met: HashSet::new(), found: self.always.clone() };
        looking.words(candidate);
        let facts = candidate.facts();
        if self.filed.contains_key(&Kind::Author) {
            candidate.authors().iter().flatten().for_each(|word| looking.at(Kind::Author, word));
        }
        if self.filed.contains_key(&Kind::Category) {
            facts.categories.iter().for_each(|name| looking.at(Kind::Category, &text::fold(name.trim())));
        }
        looking.at(Kind::Source, facts.source.as_str());
        facts.topics.iter().for_each(|topic| looking.at(Kind::Topic, topic.as_str()));
        if self.filed.contains_key(&Kind::Language)
            && let Some(tag) = candidate.language()
        {
            looking.at(Kind::Language, &first_part(tag));
        }
        let mut found = looking.found;
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// One look through all that a sighting has.
struct Looking<'s> {
    set: &'s Set,
    /// What was found already: a word that a text repeats is looked up, but its queries are not taken again.
    met: HashSet<(Kind, &'s str)>,
    found: Vec<usize>,
}

impl Looking<'_> {
    fn at(&mut self, kind: Kind, name: &str) {
        let Some((name, numbers)) = self.set.filed.get(&kind).and_then(|filed| filed.get_key_value(name)) else {
            return;
        };
        if self.met.insert((kind, name)) {
            self.found.extend(numbers);
        }
    }

    fn words(&mut self, candidate: &Candidate<'_>) {
        let set = self.set;
        let has = |kind: Kind| set.filed.contains_key(&kind);
        if has(Kind::Title) {
            candidate.title().iter().for_each(|word| self.at(Kind::Title, word));
        }
        if !has(Kind::Word) && !has(Kind::Beginning) {
            return;
        }
        for word in candidate.title().iter().chain(candidate.texts().iter().flatten()) {
            self.at(Kind::Word, word);
            for length in &set.beginnings {
                if let Some(beginning) = word.get(..*length) {
                    self.at(Kind::Beginning, beginning);
                }
            }
        }
    }
}

/// How a query can be filed.
enum Way {
    /// Under one of these, each of which is enough.
    Choice(Vec<Way>),
    /// Under all of these.
    Each(Vec<Way>),
    Key(Key),
    /// Not at all.
    Nowhere,
}

impl Way {
    fn of(needs: &Needs) -> Self {
        let key = |kind, name: &str| Self::Key((kind, name.to_owned()));
        match needs {
            Needs::Words { field, words, is_prefix } => of_words(*field, words, *is_prefix),
            Needs::Category(name) => key(Kind::Category, name),
            Needs::Source(name) => key(Kind::Source, name),
            Needs::Topic(name) => key(Kind::Topic, name),
            Needs::Language(range) => Self::Key((Kind::Language, first_part(range))),
            Needs::All(parts) => Self::Choice(parts.iter().map(Self::of).collect()),
            Needs::Any(parts) => Self::Each(parts.iter().map(Self::of).collect()),
            Needs::HasEnclosure | Needs::After(_) | Needs::Before(_) | Needs::Anything => Self::Nowhere,
        }
    }

    /// Every key that may come to be used.
    fn gather<'w>(&'w self, keys: &mut HashSet<&'w Key>) {
        match self {
            Self::Choice(ways) | Self::Each(ways) => ways.iter().for_each(|way| way.gather(keys)),
            Self::Key(key) => drop(keys.insert(key)),
            Self::Nowhere => {}
        }
    }

    /// The keys under which a query is met least, and how often that may be. What many queries have in common is a bad sign.
    fn rarest(&self, uses: &HashMap<Key, u64>) -> Option<(u64, Vec<&Key>)> {
        match self {
            Self::Choice(ways) => ways.iter().filter_map(|way| way.rarest(uses)).min_by_key(|(weight, _)| *weight),
            Self::Each(ways) => {
                let mut all = (0, Vec::new());
                for way in ways {
                    let (weight, keys) = way.rarest(uses)?;
                    all.0 += weight;
                    all.1.extend(keys);
                }
                Some(all)
            }
            Self::Key(key) => Some((commonness(key) * uses.get(key).copied().unwrap_or(1), vec![key])),
            Self::Nowhere => None,
        }
    }
}

fn of_words(field: Field, words: &[String], is_prefix: bool) -> Way {
    let kind = match field {
        Field::Any => Kind::Word,
        Field::Title => Kind::Title,
        Field::Author => Kind::Author,
    };
    let whole = if is_prefix { &words[..words.len().saturating_sub(1)] } else { words };
    if !whole.is_empty() {
        return Way::Choice(whole.iter().map(|word| Way::Key((kind, word.clone()))).collect());
    }
    match words.last() {
        Some(beginning) if kind != Kind::Author => {
            Way::Key((Kind::Beginning, beginning.chars().take(PREFIX).collect()))
        }
        _ => Way::Nowhere,
    }
}

/// About how many of ten thousand sightings have it: long words are rare ones.
fn commonness((kind, name): &Key) -> u64 {
    let length = name.chars().count();
    let of_word = if name.chars().any(text::stands_alone) {
        300
    } else {
        match length {
            0..=3 => 2_000,
            4..=5 => 400,
            6..=7 => 150,
            _ => 60,
        }
    };
    match kind {
        Kind::Word => of_word,
        Kind::Title => of_word / 10,
        Kind::Beginning => of_word * 2,
        Kind::Author => 50,
        Kind::Category | Kind::Source => 100,
        Kind::Topic => 1_000,
        Kind::Language => 5_000,
    }
}

fn first_part(tag: &str) -> String {
    let tag = tag.trim();
    tag.split(['-', '_']).next().unwrap_or(tag).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::source::{SourceKey, TopicKey};
    use crate::query::{Facts, parse};

    fn now() -> Timestamp {
        chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    fn set(queries: &[&str]) -> Set {
        Set::new(
            queries.iter().map(|query| parse(query).unwrap_or_else(|problem| panic!("{query}: {problem}"))).collect(),
        )
    }

    /// A sighting of the words, and what is asked of it.
    fn asked<T>(title: &str, text: &str, language: Option<&str>, ask: impl FnOnce(&Candidate<'_>) -> T) -> T {
        let source = SourceKey::new("wire").unwrap();
        let topics = [TopicKey::new("world").unwrap()];
        ask(&Candidate::new(Facts {
            title: Some(title),
            text_html: &[text],
            authors: &["Desk of News"],
            categories: &[" Politics "],
            source: &source,
            topics: &topics,
            language,
            url: Some("https://example.org/a"),
            published: now(),
            has_enclosure: text.len().is_multiple_of(2),
        }))
    }

    fn proposed(queries: &[&str]) -> Vec<usize> {
        let set = set(queries);
        asked("Leaders sign pact in Zürich", "<p>The summit ended late</p>", Some("en_GB"), |candidate| {
            set.proposed(candidate)
        })
    }

    #[test]
    fn few_queries_are_asked() {
        for (query, expected) in [
            ("summit", true),
            ("football", false),
            ("the football", false),
            ("\"pact in paris\"", true),
            ("zürich", true),
            ("title:summit", false),
            ("title:pact", true),
            ("summ*", true),
            ("summits*", true),
            ("foot*", false),
            ("author:desk", true),
            ("author:sports", false),
            ("author:sp*", true),
            ("category:politics", true),
            ("category:sports", false),
            ("source:wire", true),
            ("source:other", false),
            ("topic:world football", false),
            ("lang:en-us", true),
            ("lang:de", false),
            ("football OR summit", true),
            ("football OR tennis", false),
            ("football OR -summit", true),
            ("-summit", true),
            ("url:football", true),
            ("after:2030", true),
        ] {
            assert_eq!(!proposed(&[query]).is_empty(), expected, "{query}");
        }
    }

    #[test]
    fn what_all_queries_share_files_none_of_them() {
        let queries: Vec<String> = (0..500).map(|number| format!("leaders n{number}")).collect();
        let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
        assert!(proposed(&queries).is_empty());
    }

    #[test]
    fn an_empty_set_finds_nothing() {
        assert!(set(&[]).is_empty());
        assert!(proposed(&[]).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn a_set_finds_what_each_of_its_queries_finds_alone(
            queries in prop::collection::vec(
                "(-?(\\()?(title:|author:|)(\"[abé] [abc]\"|[abcdß]{1,3}\\*?|desk)(\\))? (OR |-|)(category:politics|source:wire|source:x|\
                 topic:world|lang:en|lang:de|has:enclosure|newer:1h|url:org|after:2000|regex:/[ab]c/|b) (OR )?){1,3}c",
                0..12,
            ),
            title in "([a-dÄß]{1,3} ){0,4}",
            text in "([a-dé]{1,4}[ .]){0,9}",
            language in prop::option::of("(en|de|en-GB|EN_us|x)"),
        ) {
            let queries: Vec<Query> = queries.iter().filter_map(|query| parse(query).ok()).collect();
            asked(&title, &text, language.as_deref(), |candidate| {
                let alone: Vec<usize> =
                    (0..queries.len()).filter(|number| queries[*number].matches(candidate, now())).collect();
                prop_assert_eq!(Set::new(queries.clone()).matching(candidate, now()), alone);
                Ok(())
            })?;
        }
    }
}
