//! One record ↔ one line of JSON that people and other programs can read.
//!
//! These types are the format of an export, apart from the model and from the records on disk: names once given stay. Every kind of
//! record has a line of its own; a kind that this version does not know is carried along byte for byte (`other`), never dropped.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::Timestamp;
use crate::model::document::{Enclosure, Guid, Person, RawHtml};
use crate::model::entry::{Entry, Ground, Key, KeyKind, Placement, PublicId, Seq, Sighting, TextName, Texts};
use crate::model::feed::FeedId;
use crate::model::source::{Scope, SourceKey, TopicKey, Validators};
use crate::schedule;
use crate::store::engine::StoreError;
use crate::store::keys::{self, Place};
use crate::store::portable::value::{Bytes, Hash, Id, Millis, hex, unhex};
use crate::store::record::{self, Counters, TopicRecord};
use crate::store::source::SourceState;
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
    Other {
        key: String,
        value: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SightingForm {
    seq: u64,
    scope: String,
    id: Id,
    first_seen: Millis,
    sort_at: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guid: Option<GuidForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<Millis>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    authors: Vec<PersonForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    categories: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    enclosures: Vec<EnclosureForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Hash>,
    ground: String,
    score: f32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    evidence: String,
    /// `guid:…`, `url:…` or `content:…`, what its source calls it now first.
    keys: Vec<String>,
    fingerprint: Hash,
    reading: Hash,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GuidForm {
    value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_permalink: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonForm {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnclosureForm {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlacementForm {
    feed: String,
    sort_at: Millis,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceForm {
    scope: String,
    location: String,
    validated_url: Option<String>,
    etag: Option<Bytes>,
    last_modified: Option<Bytes>,
    moved: Option<String>,
    title: Option<String>,
    site: Option<String>,
    problem: Option<String>,
    notes: Vec<String>,
    entries: u64,
    last_change: Option<Millis>,
    last_attempt: Option<Millis>,
    last_success: Option<Millis>,
    failures: u32,
    throttled_until: Option<Millis>,
    hint_until: Option<Millis>,
    gone_since: Option<Millis>,
    published: Vec<Millis>,
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
            Self::Entry { seq, id, first_seen, sightings, feeds } => {
                let entry = Entry {
                    seq: Seq(*seq),
                    id: PublicId(id.0),
                    first_seen: first_seen.instant()?,
                    sightings: sightings.iter().map(sighting).collect::<Result<_, _>>()?,
                    placements: feeds.iter().map(placement).collect::<Result<_, _>>()?,
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
                (keys::key(Key { kind: key_kind(of)?, hash: hash.0 }, Seq(*entry)), Vec::new())
            }
            Self::Membership { feed, epoch, sort_at, entry } => {
                let place = Place { sort_at: sort_at.instant()?, seq: Seq(*entry) };
                (keys::membership(&feed_id(feed)?, *epoch, place), Vec::new())
            }
            Self::Id { id, entry } => (keys::id(PublicId(id.0)), entry.to_be_bytes().to_vec()),
            Self::Source(form) => {
                (keys::source(&Scope(form.scope.as_str().into())), record::write_source(&source_state(form)?))
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
            Some(scope) => Some(Line::Source(Box::new(source_form(scope, record::read_source(value)?)))),
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
        keys::LEFT | keys::FADING | keys::TOMBSTONE => retention_line(key, value)?,
        _ => None,
    })
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
    let Entry { seq, id, first_seen, sightings, placements } = entry;
    Line::Entry {
        seq: seq.0,
        id: Id(id.0),
        first_seen: Millis::of(first_seen),
        sightings: sightings.into_iter().map(sighting_form).collect(),
        feeds: placements
            .into_iter()
            .map(|Placement { feed, sort_at }| PlacementForm { feed: feed_name(&feed), sort_at: Millis::of(sort_at) })
            .collect(),
    }
}

fn key_line(rest: &[u8]) -> Option<Line> {
    let (kind, rest) = rest.split_first()?;
    let (hash, seq) = rest.split_first_chunk::<16>()?;
    let of = [KeyKind::Guid, KeyKind::Url, KeyKind::Content].into_iter().find(|of| keys::kind_byte(*of) == *kind)?;
    let seq = u64::from_be_bytes(seq.try_into().ok()?);
    Some(Line::Key { of: key_name(of).to_owned(), hash: Hash(*hash), entry: seq })
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
        feed: feed_name(&feed),
        epoch: u32::from_be_bytes(*epoch),
        sort_at: Millis::of(place.sort_at),
        entry: place.seq.0,
    })
}

fn feed_name(feed: &FeedId) -> String {
    match feed {
        FeedId::All => "all".to_owned(),
        FeedId::Source(scope) => format!("source:{}", scope.as_str()),
        FeedId::Topic(key) => format!("topic:{key}"),
    }
}

fn feed_id(name: &str) -> Result<FeedId, String> {
    match name.split_once(':') {
        None if name == "all" => Ok(FeedId::All),
        Some(("source", scope)) => Ok(FeedId::Source(Scope(scope.into()))),
        Some(("topic", key)) => TopicKey::new(key).map(FeedId::Topic).map_err(|problem| problem.to_string()),
        _ => Err(format!("`{name}` is no feed")),
    }
}

fn key_name(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Guid => "guid",
        KeyKind::Url => "url",
        KeyKind::Content => "content",
    }
}

fn key_kind(name: &str) -> Result<KeyKind, String> {
    match name {
        "guid" => Ok(KeyKind::Guid),
        "url" => Ok(KeyKind::Url),
        "content" => Ok(KeyKind::Content),
        _ => Err(format!("`{name}` is no kind of key")),
    }
}

const GROUNDS: [Ground; 5] =
    [Ground::First, Ground::SameGuid, Ground::SameUrl, Ground::SameContent, Ground::NearDuplicate];

/// A field that is added to a sighting does not compile until it has a name here.
fn sighting_form(sighting: Sighting) -> SightingForm {
    let Sighting {
        seq,
        source,
        id,
        first_seen,
        sort_at,
        changed,
        guid,
        url,
        title,
        published,
        authors,
        categories,
        enclosures,
        language,
        text,
        ground,
        score,
        evidence,
        keys,
        fingerprint,
        reading,
    } = sighting;
    SightingForm {
        seq: seq.0,
        scope: source.as_str().to_owned(),
        id: Id(id.0),
        first_seen: Millis::of(first_seen),
        sort_at: Millis::of(sort_at),
        changed: changed.map(Millis::of),
        guid: guid.map(|Guid { value, is_permalink }| GuidForm { value, is_permalink }),
        url: url.map(String::from),
        title,
        published: published.map(Millis::of),
        authors: authors
            .into_iter()
            .map(|Person { name, url }| PersonForm { name, url: url.map(String::from) })
            .collect(),
        categories,
        enclosures: enclosures
            .into_iter()
            .map(|Enclosure { url, media_type, length, title }| EnclosureForm {
                url: url.into(),
                media_type,
                length,
                title,
            })
            .collect(),
        language,
        text: text.map(|hash| Hash(hash.0)),
        ground: ground.name().to_owned(),
        score,
        evidence,
        keys: keys.iter().map(|key| format!("{}:{}", key_name(key.kind), hex(&key.hash))).collect(),
        fingerprint: Hash(fingerprint),
        reading: Hash(reading),
    }
}

fn sighting(form: &SightingForm) -> Result<Sighting, String> {
    let ground = GROUNDS.into_iter().find(|ground| ground.name() == form.ground);
    let key = |text: &String| {
        let (kind, hash) = text.split_once(':').ok_or_else(|| format!("`{text}` is no key"))?;
        Ok::<_, String>(Key { kind: key_kind(kind)?, hash: Hash::read(hash)?.0 })
    };
    let enclosure = |form: &EnclosureForm| {
        let EnclosureForm { url, media_type, length, title } = form;
        let (media_type, title) = (media_type.clone(), title.clone());
        Ok::<_, String>(Enclosure { url: address(url)?, media_type, length: *length, title })
    };
    let author = |form: &PersonForm| {
        Ok::<_, String>(Person { name: form.name.clone(), url: form.url.as_deref().map(address).transpose()? })
    };
    Ok(Sighting {
        seq: Seq(form.seq),
        source: Scope(form.scope.as_str().into()),
        id: PublicId(form.id.0),
        first_seen: form.first_seen.instant()?,
        sort_at: form.sort_at.instant()?,
        changed: instant(form.changed)?,
        guid: form.guid.as_ref().map(|guid| Guid { value: guid.value.clone(), is_permalink: guid.is_permalink }),
        url: form.url.as_deref().map(address).transpose()?,
        title: form.title.clone(),
        published: instant(form.published)?,
        authors: form.authors.iter().map(author).collect::<Result<_, _>>()?,
        categories: form.categories.clone(),
        enclosures: form.enclosures.iter().map(enclosure).collect::<Result<_, _>>()?,
        language: form.language.clone(),
        text: form.text.map(|hash| TextName(hash.0)),
        ground: ground.ok_or_else(|| format!("`{}` is no ground", form.ground))?,
        score: form.score,
        evidence: form.evidence.clone(),
        keys: form.keys.iter().map(key).collect::<Result<_, _>>()?,
        fingerprint: form.fingerprint.0,
        reading: form.reading.0,
    })
}

fn placement(form: &PlacementForm) -> Result<Placement, String> {
    Ok(Placement { feed: feed_id(&form.feed)?, sort_at: form.sort_at.instant()? })
}

fn instant(millis: Option<Millis>) -> Result<Option<Timestamp>, String> {
    millis.map(Millis::instant).transpose()
}

fn address(text: &str) -> Result<Url, String> {
    Url::parse(text).map_err(|error| format!("`{text}` is no address ({error})"))
}

/// A fact that is added to a source does not compile until it has a name here.
fn source_form(scope: String, state: SourceState) -> SourceForm {
    let SourceState {
        facts,
        location,
        validators: Validators { url, etag, last_modified },
        moved,
        title,
        site,
        problem,
        notes,
        entries,
        last_change,
    } = state;
    let schedule::Facts { last_attempt, last_success, failures, throttled_until, hint_until, gone_since, published } =
        facts;
    SourceForm {
        scope,
        location,
        validated_url: url.map(String::from),
        etag: etag.map(Bytes),
        last_modified: last_modified.map(Bytes),
        moved: moved.map(String::from),
        title,
        site: site.map(String::from),
        problem,
        notes,
        entries,
        last_change: last_change.map(Millis::of),
        last_attempt: last_attempt.map(Millis::of),
        last_success: last_success.map(Millis::of),
        failures,
        throttled_until: throttled_until.map(Millis::of),
        hint_until: hint_until.map(Millis::of),
        gone_since: gone_since.map(Millis::of),
        published: published.into_iter().map(Millis::of).collect(),
    }
}

fn source_state(form: &SourceForm) -> Result<SourceState, String> {
    let url = |text: &Option<String>| text.as_deref().map(address).transpose();
    let bytes = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| bytes.0.clone());
    Ok(SourceState {
        facts: schedule::Facts {
            last_attempt: instant(form.last_attempt)?,
            last_success: instant(form.last_success)?,
            failures: form.failures,
            throttled_until: instant(form.throttled_until)?,
            hint_until: instant(form.hint_until)?,
            gone_since: instant(form.gone_since)?,
            published: form.published.iter().map(|at| at.instant()).collect::<Result<_, _>>()?,
        },
        location: form.location.clone(),
        validators: Validators {
            url: url(&form.validated_url)?,
            etag: bytes(&form.etag),
            last_modified: bytes(&form.last_modified),
        },
        moved: url(&form.moved)?,
        title: form.title.clone(),
        site: url(&form.site)?,
        problem: form.problem.clone(),
        notes: form.notes.clone(),
        entries: form.entries,
        last_change: instant(form.last_change)?,
    })
}
