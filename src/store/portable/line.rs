//! One record ↔ one line of JSON that people and other programs can read.
//!
//! These types are the format of an export, apart from the model and from the records on disk: names once given stay. Every kind of
//! record has a line of its own; a kind that this version does not know is carried along byte for byte (`other`), never dropped.

use serde::{Deserialize, Serialize};

use crate::model::document::RawHtml;
use crate::model::entry::{Entry, Key, KeyKind, PublicId, Seq, TextName, Texts};
use crate::model::feed::FeedId;
use crate::model::source::{Scope, SourceKey, TopicKey};
use crate::store::engine::StoreError;
use crate::store::keys::{self, Place};
use crate::store::pages::PageText;
use crate::store::portable::form::{self, PlacementForm, RuleForm, SightingForm, SourceForm};
use crate::store::portable::value::{Hash, Id, Millis, hex, unhex};
use crate::store::record::{self, Counters, RuleRecord, RulesRecord, TopicRecord};
use crate::store::tombstone::Tombstone;

/// Any line but the first and the last.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    Counters {
        next: u64,
        entries: u64,
        sightings: u64,
    },
    Entry {
        seq: u64,
        id: Id,
        first_seen: Millis,
        sightings: Vec<SightingForm>,
        feeds: Vec<PlacementForm>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<Millis>,
    },
    Text {
        text: Hash,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
    },
    Key {
        of: String,
        hash: Hash,
        entry: u64,
    },
    Membership {
        feed: String,
        epoch: u32,
        sort_at: Millis,
        entry: u64,
    },
    Id {
        id: Id,
        entry: u64,
    },
    Source(Box<SourceForm>),
    LastDocument {
        scope: String,
        hashes: Vec<Hash>,
    },
    Topic {
        topic: String,
        epoch: u32,
        query: Option<String>,
        sources: Vec<String>,
    },
    Name {
        source: String,
        scope: String,
    },
    Left {
        scope: String,
        entry: u64,
        at: Millis,
    },
    Leaving {
        scope: String,
        at: Millis,
        entry: u64,
    },
    Tombstone {
        scope: String,
        name: Hash,
        since: Millis,
        id: Id,
    },
    Fading {
        since: Millis,
        scope: String,
        name: Hash,
    },
    Held {
        scope: String,
        since: Millis,
        entry: u64,
    },
    Page {
        sighting: u64,
        at: Millis,
        url: String,
        html: String,
    },
    Rules {
        applied: Vec<RuleForm>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        begun: Vec<RuleForm>,
    },
    Other {
        key: String,
        value: String,
    },
}

/// How summary and content become a record.
pub(super) type WriteTexts<'w> = &'w mut dyn FnMut(Option<&str>, Option<&str>) -> Vec<u8>;

impl Line {
    /// What the line says of itself.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Counters { .. } => "counters",
            Self::Entry { .. } => "entry",
            Self::Text { .. } => "text",
            Self::Key { .. } => "key",
            Self::Membership { .. } => "membership",
            Self::Id { .. } => "id",
            Self::Source(_) => "source",
            Self::LastDocument { .. } => "last_document",
            Self::Topic { .. } => "topic",
            Self::Name { .. } => "name",
            Self::Left { .. } => "left",
            Self::Leaving { .. } => "leaving",
            Self::Tombstone { .. } => "tombstone",
            Self::Fading { .. } => "fading",
            Self::Held { .. } => "held",
            Self::Page { .. } => "page",
            Self::Rules { .. } => "rules",
            Self::Other { .. } => "other",
        }
    }

    /// The line of a record.
    ///
    /// # Errors
    /// When a record of a known kind cannot be read.
    pub(super) fn of(key: &[u8], value: &[u8]) -> Result<Self, StoreError> {
        let known = known(key, value)?;
        // What does not lead back to the same name on disk is not understood.
        let is_whole =
            known.as_ref().is_some_and(|line| line.record(&mut |_, _| Vec::new()).is_ok_and(|(back, _)| back == key));
        Ok(known.filter(|_| is_whole).unwrap_or_else(|| Self::Other { key: hex(key), value: hex(value) }))
    }

    /// The record that a line stands for: key and value. Texts are written by one writer for all lines.
    ///
    /// # Errors
    /// What of the line cannot be understood.
    pub(super) fn record(&self, write_texts: WriteTexts<'_>) -> Result<(Vec<u8>, Vec<u8>), String> {
        Ok(match self {
            Self::Counters { next, entries, sightings } => {
                let counters = Counters { next: *next, entries: *entries, sightings: *sightings };
                (keys::COUNTERS.to_vec(), record::write_counters(&counters))
            }
            Self::Entry { seq, id, first_seen, sightings, feeds, held } => {
                let entry = Entry {
                    seq: Seq(*seq),
                    id: PublicId(id.0),
                    first_seen: first_seen.instant()?,
                    sightings: sightings.iter().map(form::sighting).collect::<Result<_, _>>()?,
                    placements: feeds.iter().map(form::placement).collect::<Result<_, _>>()?,
                    held: held.map(Millis::instant).transpose()?,
                };
                if entry.sightings.is_empty() {
                    return Err("an entry without a sighting".to_owned());
                }
                (keys::entry(entry.seq), record::write_entry(&entry))
            }
            Self::Text { text, summary, content } => {
                (keys::text(TextName(text.0)), write_texts(summary.as_deref(), content.as_deref()))
            }
            Self::Key { of, hash, entry } => {
                (keys::key(Key { kind: form::key_kind(of)?, hash: hash.0 }, Seq(*entry)), Vec::new())
            }
            Self::Membership { feed, epoch, sort_at, entry } => {
                let place = Place { sort_at: sort_at.instant()?, seq: Seq(*entry) };
                (keys::membership(&form::feed_id(feed)?, *epoch, place), Vec::new())
            }
            Self::Id { id, entry } => (keys::id(PublicId(id.0)), entry.to_be_bytes().to_vec()),
            Self::Source(source) => {
                (keys::source(&Scope(source.scope.as_str().into())), record::write_source(&form::source_state(source)?))
            }
            Self::LastDocument { scope, hashes } => {
                let hashes: Vec<[u8; 16]> = hashes.iter().map(|hash| hash.0).collect();
                (keys::last_document(&Scope(scope.as_str().into())), record::write_last_document(&hashes))
            }
            Self::Topic { topic, epoch, query, sources } => {
                let key = TopicKey::new(topic).map_err(|problem| problem.to_string())?;
                let record = TopicRecord { epoch: *epoch, query: query.clone(), sources: sources.clone() };
                (keys::topic(&key), record::write_topic(&record))
            }
            Self::Name { source, scope } => {
                let key = SourceKey::new(source).map_err(|problem| problem.to_string())?;
                (keys::name(&key), scope.as_bytes().to_vec())
            }
            Self::Page { sighting, at, url, html } => {
                let page = PageText { url: form::address(url)?, at: at.instant()?, html: RawHtml(html.clone()) };
                (keys::page(Seq(*sighting)), record::write_page(&page))
            }
            Self::Rules { applied, begun } => {
                let read = |rules: &[RuleForm]| rules.iter().map(form::rule).collect();
                let rules = RulesRecord { applied: read(applied), begun: read(begun) };
                (keys::RULES.to_vec(), record::write_rules(&rules))
            }
            Self::Other { key, value } => (unhex(key)?, unhex(value)?),
            other => other.of_retention()?,
        })
    }

    fn of_retention(&self) -> Result<(Vec<u8>, Vec<u8>), String> {
        let named = |scope: &String| Scope(scope.as_str().into());
        match self {
            Self::Left { scope, entry, at } => {
                Ok((keys::left(&named(scope), Seq(*entry)), keys::ordered(at.instant()?).to_vec()))
            }
            Self::Leaving { scope, at, entry } => {
                Ok((keys::leaving(&named(scope), at.instant()?, Seq(*entry)), Vec::new()))
            }
            Self::Tombstone { scope, name, since, id } => {
                let tombstone = Tombstone { since: since.instant()?, id: PublicId(id.0) };
                Ok((keys::tombstone(&named(scope), name.0), record::write_tombstone(&tombstone)))
            }
            Self::Fading { since, scope, name } => {
                Ok((keys::fading(since.instant()?, &named(scope), name.0), Vec::new()))
            }
            Self::Held { scope, since, entry } => {
                Ok((keys::held(&named(scope), since.instant()?, Seq(*entry)), Vec::new()))
            }
            other => Err(format!("`{}` is another kind of line", other.kind())),
        }
    }
}

/// `None` for a kind, or a shape of it, that this version does not know.
fn known(key: &[u8], value: &[u8]) -> Result<Option<Line>, StoreError> {
    let Some((kind, rest)) = key.split_first() else { return Ok(None) };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let scope = text(rest);
    Ok(match *kind {
        keys::META if key == keys::COUNTERS => {
            let Counters { next, entries, sightings } = record::read_counters(value)?;
            Some(Line::Counters { next, entries, sightings })
        }
        keys::META if key == keys::RULES => {
            let RulesRecord { applied, begun } = record::read_rules(value)?;
            let shown = |rules: Vec<RuleRecord>| rules.into_iter().map(form::rule_form).collect();
            Some(Line::Rules { applied: shown(applied), begun: shown(begun) })
        }
        keys::ENTRY => match keys::seq(rest) {
            Some(seq) => Some(entry_line(record::read_entry(seq, value)?)),
            None => None,
        },
        keys::TEXT => match rest.try_into() {
            Ok(hash) => {
                let Texts { summary, content } = record::read_texts(value)?;
                let part = |html: Option<RawHtml>| html.map(|html| html.0);
                Some(Line::Text { text: Hash(hash), summary: part(summary), content: part(content) })
            }
            Err(_) => None,
        },
        keys::KEY if value.is_empty() => key_line(rest),
        keys::MEMBERSHIP if value.is_empty() => membership_line(key),
        keys::ID => match (rest.try_into(), keys::seq(value).filter(|_| value.len() == 8)) {
            (Ok(id), Some(seq)) => Some(Line::Id { id: Id(id), entry: seq.0 }),
            _ => None,
        },
        keys::SOURCE => match scope {
            Some(scope) => Some(Line::Source(Box::new(form::source_form(scope, record::read_source(value)?)))),
            None => None,
        },
        keys::LAST_DOCUMENT => match scope {
            Some(scope) => {
                let hashes = record::read_last_document(value)?.into_iter().map(Hash).collect();
                Some(Line::LastDocument { scope, hashes })
            }
            None => None,
        },
        keys::TOPIC => match scope {
            Some(topic) => {
                let TopicRecord { epoch, query, sources } = record::read_topic(value)?;
                Some(Line::Topic { topic, epoch, query, sources })
            }
            None => None,
        },
        keys::NAME => scope.zip(text(value)).map(|(source, scope)| Line::Name { source, scope }),
        // It could be read from its page again: one that cannot be understood is carried along and stops no export.
        keys::PAGE => {
            let sighting = keys::seq(rest).filter(|_| rest.len() == 8);
            sighting.zip(record::read_page(value).ok()).map(|(sighting, page)| page_line(sighting, page))
        }
        keys::LEFT | keys::FADING | keys::TOMBSTONE => retention_line(key, value)?,
        keys::HELD if value.is_empty() => held_line(key),
        _ => None,
    })
}

fn held_line(key: &[u8]) -> Option<Line> {
    let (scope, place) = keys::held_parts(key)?;
    let scope = scope.as_str().to_owned();
    Some(Line::Held { scope, since: Millis::of(place.sort_at), entry: place.seq.0 })
}

fn page_line(sighting: Seq, page: PageText) -> Line {
    let PageText { url, at, html } = page;
    Line::Page { sighting: sighting.0, at: Millis::of(at), url: url.into(), html: html.0 }
}

fn retention_line(key: &[u8], value: &[u8]) -> Result<Option<Line>, StoreError> {
    let named = |scope: Scope| scope.as_str().to_owned();
    if key.first() == Some(&keys::TOMBSTONE) {
        let Some((scope, name)) = keys::scoped::<16>(key) else { return Ok(None) };
        let Tombstone { since, id } = record::read_tombstone(value)?;
        let (since, id) = (Millis::of(since), Id(id.0));
        return Ok(Some(Line::Tombstone { scope: named(scope), name: Hash(name), since, id }));
    }
    if key.first() == Some(&keys::LEFT) {
        let left = keys::scoped::<8>(key).zip(keys::instant(value));
        return Ok(left.map(|((scope, entry), at)| Line::Left {
            scope: named(scope),
            entry: u64::from_be_bytes(entry),
            at: Millis::of(at),
        }));
    }
    if !value.is_empty() {
        return Ok(None);
    }
    let leaving = keys::leaving_parts(key).map(|(scope, place)| Line::Leaving {
        scope: named(scope),
        at: Millis::of(place.sort_at),
        entry: place.seq.0,
    });
    let fading = || {
        keys::fading_parts(key).map(|(since, scope, name)| Line::Fading {
            since: Millis::of(since),
            scope: named(scope),
            name: Hash(name),
        })
    };
    Ok(leaving.or_else(fading))
}

fn entry_line(entry: Entry) -> Line {
    let Entry { seq, id, first_seen, sightings, placements, held } = entry;
    Line::Entry {
        seq: seq.0,
        id: Id(id.0),
        first_seen: Millis::of(first_seen),
        sightings: sightings.into_iter().map(form::sighting_form).collect(),
        feeds: placements.into_iter().map(|placement| form::placement_form(&placement)).collect(),
        held: held.map(Millis::of),
    }
}

fn key_line(rest: &[u8]) -> Option<Line> {
    let (kind, rest) = rest.split_first()?;
    let (hash, seq) = rest.split_first_chunk::<16>()?;
    let of = [KeyKind::Guid, KeyKind::Url, KeyKind::Content, KeyKind::Title];
    let of = of.into_iter().find(|of| keys::kind_byte(*of) == *kind)?;
    let seq = u64::from_be_bytes(seq.try_into().ok()?);
    Some(Line::Key { of: form::key_name(of).to_owned(), hash: Hash(*hash), entry: seq })
}

fn membership_line(key: &[u8]) -> Option<Line> {
    let place = keys::place(key)?;
    // Kind, tag, name, a zero, epoch, time, sequence.
    let (head, epoch) = key.get(..key.len().checked_sub(16)?)?.split_last_chunk::<4>()?;
    let (tag, name) = head.get(1..)?.split_first()?;
    let name = std::str::from_utf8(name.strip_suffix(&[0])?).ok()?;
    let feed = match (tag, name) {
        (1, "") => FeedId::All,
        (2, scope) => FeedId::Source(Scope(scope.into())),
        (3, topic) => FeedId::Topic(TopicKey::new(topic).ok()?),
        _ => return None,
    };
    Some(Line::Membership {
        feed: form::feed_name(&feed),
        epoch: u32::from_be_bytes(*epoch),
        sort_at: Millis::of(place.sort_at),
        entry: place.seq.0,
    })
}
