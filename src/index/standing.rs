//! How far an index goes, written with each commit as its payload.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::entry::Seq;
use crate::model::source::TopicKey;

/// Changes with whatever the documents are made of. An index of another version is made anew.
const VERSION: u32 = 1;
const NAME: &str = "feedmill-index";

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The last record of the journal that it has followed.
    pub number: u64,
    /// The last entry that it has looked at while it is filled for the first time; `None` once it is whole.
    pub filled: Option<Seq>,
    /// The definition of each topic whose places are as the index has them.
    pub topics: BTreeMap<TopicKey, u64>,
}

impl Standing {
    /// One line of text.
    pub(super) fn write(&self, mark: u128) -> String {
        let filled = self.filled.map_or_else(|| "whole".to_owned(), |seq| seq.0.to_string());
        let mut text = format!("{NAME} {VERSION} {mark:032x} {} {filled}", self.number);
        for (key, definition) in &self.topics {
            // Writing to a String cannot fail.
            let _ = write!(text, " {key}={definition:016x}");
        }
        text
    }

    /// `None` for what an index of another version or of another store says.
    pub(super) fn read(text: &str, mark: u128) -> Option<Self> {
        let rest = text.strip_prefix(&format!("{NAME} {VERSION} {mark:032x} "))?;
        let mut parts = rest.split(' ');
        let number = parts.next()?.parse().ok()?;
        let filled = match parts.next()? {
            "whole" => None,
            seq => Some(Seq(seq.parse().ok()?)),
        };
        let topics = parts.map(|part| {
            let (key, definition) = part.split_once('=')?;
            Some((TopicKey::new(key).ok()?, u64::from_str_radix(definition, 16).ok()?))
        });
        Some(Self { number, filled, topics: topics.collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        let topics = BTreeMap::from([(TopicKey::new("world").unwrap(), 7), (TopicKey::new("a-b").unwrap(), u64::MAX)]);
        for standing in [
            Standing::default(),
            Standing { number: 3, filled: Some(Seq(9)), topics: topics.clone() },
            Standing { number: u64::MAX, filled: None, topics },
        ] {
            let text = standing.write(5);
            assert_eq!(Standing::read(&text, 5), Some(standing));
            assert_eq!(Standing::read(&text, 6), None);
            assert_eq!(Standing::read(&text.replace("index 1", "index 0"), 5), None);
        }
        assert_eq!(Standing::read("", 5), None);
    }
}
