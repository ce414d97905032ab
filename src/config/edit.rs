//! `feeds.toml` with one more source: every comment, blank and order of what is there stays. The only place that knows `toml_edit`.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};
use url::Url;

use crate::model::source::KEY_LIMIT;
use crate::text;

/// A source as `[sources.KEY]` will declare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    pub key: String,
    pub url: String,
    pub topics: Vec<String>,
}

impl Addition {
    /// The lines of its table.
    pub fn lines(&self) -> String {
        // An empty text is a document that takes tables.
        self.added_to("").unwrap_or_default()
    }

    /// The text with this source behind its other sources. It has still to be checked.
    ///
    /// # Errors
    /// What is in the way, in a sentence.
    pub fn added_to(&self, text: &str) -> Result<String, String> {
        let mut document = document(text)?;
        let sources = document.entry("sources").or_insert_with(|| {
            let mut sources = Table::new();
            sources.set_implicit(true);
            Item::Table(sources)
        });
        match sources {
            Item::Table(sources) if !sources.is_dotted() => sources.insert(&self.key, Item::Table(self.table())),
            Item::Table(sources) => sources.insert(&self.key, Item::Value(self.inline().into())),
            Item::Value(Value::InlineTable(sources)) => {
                sources.insert(&self.key, self.inline().into()).map(Item::Value)
            }
            _ => return Err("`sources` is no table".to_owned()),
        };
        Ok(self.behind_the_last_words(document))
    }

    fn table(&self) -> Table {
        self.inline().into_table()
    }

    fn inline(&self) -> InlineTable {
        let mut table = InlineTable::new();
        table.insert("url", self.url.as_str().into());
        if !self.topics.is_empty() {
            table.insert("topics", self.topics.iter().collect::<Array>().into());
        }
        table
    }

    /// A comment at the end of the text belongs to no table; it stays where it is, above a table that comes last.
    fn behind_the_last_words(&self, mut document: DocumentMut) -> String {
        let last_words = document.trailing().as_str().unwrap_or_default().to_owned();
        let whole = document.to_string();
        let header = format!("[sources.{}]", self.key);
        let is_last = whole.rsplit_once(&header).is_some_and(|(_, behind)| !behind.contains("\n["));
        let table =
            document.get_mut("sources").and_then(|sources| sources.get_mut(&self.key)).and_then(Item::as_table_mut);
        match table {
            Some(table) if is_last && !last_words.trim().is_empty() => {
                table.decor_mut().set_prefix(format!("{}\n\n", last_words.trim_end()));
                document.set_trailing("");
                document.to_string()
            }
            _ => whole,
        }
    }
}

/// The text with one value set, whichever way the tables on its path are written; those that are missing are made. What is no TOML is
/// taken for a text.
///
/// # Errors
/// What is in the way, in a sentence.
pub fn with_value(text: &str, path: &[&str], value: &str) -> Result<String, String> {
    let mut document = document(text)?;
    let (key, tables) = path.split_last().ok_or("it has no name")?;
    let mut item = document.as_item_mut();
    for name in tables {
        let table = item.as_table_like_mut().ok_or_else(|| format!("`{name}` lies in no table"))?;
        item = table.entry(name).or_insert_with(|| Item::Value(InlineTable::new().into()));
    }
    let table = item.as_table_like_mut().ok_or_else(|| format!("`{key}` lies in no table"))?;
    table.insert(key, Item::Value(value.parse().unwrap_or_else(|_| value.into())));
    Ok(document.to_string())
}

/// What the settings of merging are called in a text.
///
/// # Errors
/// When it is no TOML.
pub fn merging_table(text: &str) -> Result<&'static str, String> {
    let document = document(text)?;
    let is_table = document.get("merge").is_some_and(Item::is_table_like);
    Ok(if is_table && document.get("merging").is_none() { "merge" } else { "merging" })
}

/// The keys of the sources in a text.
///
/// # Errors
/// When it is no TOML.
pub fn sources(text: &str) -> Result<Vec<String>, String> {
    let document = document(text)?;
    let sources = document.get("sources").and_then(Item::as_table_like);
    Ok(sources.into_iter().flat_map(|table| table.iter()).map(|(key, _)| key.to_owned()).collect())
}

fn document(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error| format!("it is not TOML: {error}"))
}

/// Titles that say nothing of whose feed it is, as keys.
const VAGUE: &[&str] =
    &["home", "feed", "rss", "rss-feed", "atom", "news", "blog", "untitled", "latest", "latest-news", "posts"];
/// Longest key that is made of a title: keys are typed.
const READABLE: usize = 32;

/// A key for a feed, of its title, or of its host when the title gives none; one that is not taken.
pub fn key_for(title: Option<&str>, url: &Url, is_taken: impl Fn(&str) -> bool) -> String {
    let of_title =
        title.map(slug).filter(|slug| (3..=READABLE).contains(&slug.len()) && !VAGUE.contains(&slug.as_str()));
    let key = of_title.unwrap_or_else(|| of_host(url));
    let numbered = |number: u32| if number == 1 { key.clone() } else { format!("{key}-{number}") };
    (1..=u32::MAX).map(numbered).find(|key| !is_taken(key)).unwrap_or(key)
}

fn of_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let host = ["www.", "feeds.", "feed.", "rss."].iter().find_map(|label| host.strip_prefix(label)).unwrap_or(host);
    // The last label tells a country or a kind, unless the host is a number.
    let name = host.rsplit_once('.').filter(|(_, last)| last.starts_with(|first: char| first.is_ascii_alphabetic()));
    let key = slug(name.map_or(host, |(name, _)| name));
    if key.is_empty() { "source".to_owned() } else { key }
}

/// Words of folded letters and digits, joined by hyphens.
fn slug(text: &str) -> String {
    let folded = text::fold(text).replace(['\'', '’'], "");
    let words = folded.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = String::new();
    for word in words {
        // Room for a number behind it.
        if slug.len() + word.len() + 8 > KEY_LIMIT {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(word);
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::source::SourceKey;
    use proptest::prelude::*;

    fn addition(topics: &[&str]) -> Addition {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        Addition { key: "new".to_owned(), url: "https://x.example/f".to_owned(), topics }
    }

    #[test]
    fn a_source_is_added_and_all_else_stays() {
        let new = "[sources.new]\nurl = \"https://x.example/f\"\n";
        for (before, expected) in [
            ("", new.to_owned()),
            ("# mine\n", format!("# mine\n\n{new}")),
            ("[server]\ntitle='x' # short\n", format!("[server]\ntitle='x' # short\n\n{new}")),
            (
                "[sources.a]\nurl=\"u\"\n\n# Topics\n[topics.t]\n",
                format!("[sources.a]\nurl=\"u\"\n\n{new}\n# Topics\n[topics.t]\n"),
            ),
            (
                "[sources.a]\nurl=\"u\"\n# [sources.b]\n# off\n",
                format!("[sources.a]\nurl=\"u\"\n# [sources.b]\n# off\n\n{new}"),
            ),
            ("[sources]\na = { url = \"u\" }\n", format!("[sources]\na = {{ url = \"u\" }}\n\n{new}")),
            (
                "sources = { a = { url = \"u\" } }\n",
                "sources = { a = { url = \"u\" } , new = { url = \"https://x.example/f\" } }\n".to_owned(),
            ),
            (
                "sources.a.url = \"u\"\n",
                "sources.a.url = \"u\"\nsources.new = { url = \"https://x.example/f\" }\n".to_owned(),
            ),
        ] {
            assert_eq!(addition(&[]).added_to(before).unwrap(), expected, "{before}");
        }
    }

    #[test]
    fn topics_are_written() {
        let lines = addition(&["a", "b"]).lines();
        assert_eq!(lines, "[sources.new]\nurl = \"https://x.example/f\"\ntopics = [\"a\", \"b\"]\n");
    }

    #[test]
    fn what_takes_no_source_says_so() {
        assert!(addition(&[]).added_to("sources = 3").unwrap_err().contains("no table"));
        assert!(addition(&[]).added_to("a = [").unwrap_err().contains("not TOML"));
    }

    #[test]
    fn keys_are_made_of_titles_or_hosts() {
        for (title, url, expected) in [
            (Some("Rust Blog"), "https://blog.rust-lang.org/feed.xml", "rust-blog"),
            (Some("Zürich’s Straße — News"), "https://x.example/", "zurichs-strasse-news"),
            (Some("Home"), "https://www.example.org/feed", "example"),
            (Some("ニュース"), "https://feeds.bbci.co.uk/x", "bbci-co"),
            (Some("A title that goes on for much longer than anybody would type"), "https://x.y.example/", "x-y"),
            (None, "http://127.0.0.1:8080/", "127-0-0-1"),
            (Some("Taken"), "https://x.example/", "taken-3"),
        ] {
            let key = key_for(title, &Url::parse(url).unwrap(), |key| matches!(key, "taken" | "taken-2"));
            assert_eq!(key, expected, "{title:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_title_gives_a_key(title in any::<String>(), host in "[a-z0-9-]{1,60}(\\.[a-z]{2,60}){0,4}") {
            let Ok(url) = Url::parse(&format!("https://{host}/")) else { return Ok(()) };
            prop_assert!(SourceKey::new(&key_for(Some(&title), &url, |_| false)).is_ok());
        }
    }
}
