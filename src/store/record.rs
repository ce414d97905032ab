//! Records: the types on disk, apart from the model, each with a version.
//!
//! CBOR (RFC 8949) with numbered fields: a later version may add fields, and unknown ones are skipped. A number once given is
//! never given again. The byte before the CBOR is the version of the record; a version that this program does not know is
//! damage, since the store's format number already says which versions may occur.

use std::time::Duration;

use minicbor::{Decode, Encode};
use url::Url;

use crate::merge::alike::index::Member;
use crate::model::Timestamp;
use crate::model::document::{About, Enclosure, Guid, Origin, Particulars, Person, RawHtml, Related, RelatedKind};
use crate::model::entry::{Entry, Ground, Key, KeyKind, Placement, PublicId, Seq, Sighting, TextName, Texts};
use crate::model::feed::FeedId;
use crate::model::source::{Scope, Secret, TopicKey, Validators};
use crate::schedule;
use crate::store::engine::StoreError;
use crate::store::keys::Place;
use crate::store::pages::PageText;
use crate::store::sketches::SketchWrite;
use crate::store::source::{DocumentFacts, PastPoll, PollOutcome, SourceState};
use crate::store::subscriptions::Subscription;
use crate::store::tombstone::Tombstone;

const VERSION: u8 = 1;

/// Longest text that is read back. Bodies are limited far below it; a larger claim is damage.
const TEXT_LIMIT: usize = 256 << 20;

fn write<R: Encode<()>>(record: &R) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    minicbor::encode(record, &mut bytes).expect("encoding into memory cannot fail");
    bytes
}

fn read<'b, R: Decode<'b, ()>>(what: &str, bytes: &'b [u8]) -> Result<R, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, body)) => minicbor::decode(body).map_err(|error| damaged(what, &error.to_string())),
        Some((version, _)) => Err(damaged(what, &format!("has the unknown version {version}"))),
        None => Err(damaged(what, "is empty")),
    }
}

fn damaged(what: &str, how: &str) -> StoreError {
    StoreError::Damaged(format!("the record of {what} cannot be read: {how}"))
}

fn millis(at: Timestamp) -> i64 {
    at.timestamp_millis()
}

fn instant(millis: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn address(text: Option<String>) -> Option<Url> {
    text.and_then(|text| Url::parse(&text).ok())
}

fn spelt(url: Option<&Url>) -> Option<String> {
    url.map(|url| url.as_str().to_owned())
}

type Hash = [u8; 16];

#[derive(Encode, Decode)]
struct PersonRecord {
    #[n(0)]
    name: String,
    #[n(1)]
    url: Option<String>,
}

#[derive(Encode, Decode)]
struct EnclosureRecord {
    #[n(0)]
    url: String,
    #[n(1)]
    media_type: Option<String>,
    #[n(2)]
    length: Option<u64>,
    #[n(3)]
    title: Option<String>,
}

#[derive(Clone, Copy, Encode, Decode)]
struct KeyRecord {
    #[n(0)]
    kind: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    hash: Hash,
}

#[derive(Encode, Decode)]
struct SightingRecord {
    #[n(0)]
    seq: u64,
    #[n(1)]
    source: String,
    #[cbor(n(2), with = "minicbor::bytes")]
    id: Hash,
    #[n(3)]
    first_seen: i64,
    #[n(4)]
    sort_at: i64,
    #[n(5)]
    changed: Option<i64>,
    #[n(6)]
    guid: Option<String>,
    #[n(7)]
    is_permalink: Option<bool>,
    #[n(8)]
    url: Option<String>,
    #[n(9)]
    title: Option<String>,
    #[n(10)]
    published: Option<i64>,
    #[n(11)]
    authors: Vec<PersonRecord>,
    #[n(12)]
    categories: Vec<String>,
    #[n(13)]
    enclosures: Vec<EnclosureRecord>,
    #[n(14)]
    language: Option<String>,
    #[cbor(n(15), with = "minicbor::bytes")]
    text: Option<Hash>,
    #[n(16)]
    ground: u8,
    #[n(17)]
    score: f32,
    #[n(18)]
    evidence: String,
    #[n(19)]
    keys: Vec<KeyRecord>,
    #[cbor(n(20), with = "minicbor::bytes")]
    fingerprint: Hash,
    #[cbor(n(21), with = "minicbor::bytes")]
    reading: Hash,
    #[n(22)]
    matched: Option<u64>,
    #[n(23)]
    related: Option<Vec<RelatedRecord>>,
    #[n(24)]
    origin: Option<OriginRecord>,
    /// In seconds.
    #[n(25)]
    duration: Option<u64>,
    #[n(26)]
    episode: Option<u32>,
    #[n(27)]
    season: Option<u32>,
    #[n(28)]
    is_explicit: Option<bool>,
}

#[derive(Encode, Decode)]
struct RelatedRecord {
    #[n(0)]
    kind: u8,
    #[n(1)]
    url: String,
    #[n(2)]
    media_type: Option<String>,
}

#[derive(Encode, Decode)]
struct OriginRecord {
    #[n(0)]
    title: Option<String>,
    #[n(1)]
    url: Option<String>,
    #[n(2)]
    feed: Option<String>,
    #[n(3)]
    id: Option<String>,
    #[n(4)]
    updated: Option<i64>,
}

#[derive(Encode, Decode)]
struct PlacementRecord {
    #[n(0)]
    feed: u8,
    #[n(1)]
    name: String,
    #[n(2)]
    sort_at: i64,
}

#[derive(Encode, Decode)]
struct EntryRecord {
    #[cbor(n(0), with = "minicbor::bytes")]
    id: Hash,
    #[n(1)]
    first_seen: i64,
    #[n(2)]
    sightings: Vec<SightingRecord>,
    #[n(3)]
    placements: Vec<PlacementRecord>,
    #[n(4)]
    held: Option<i64>,
}

pub fn write_entry(entry: &Entry) -> Vec<u8> {
    write(&EntryRecord {
        id: entry.id.0,
        first_seen: millis(entry.first_seen),
        sightings: entry.sightings.iter().map(sighting_record).collect(),
        placements: entry.placements.iter().map(placement_record).collect(),
        held: entry.held.map(millis),
    })
}

pub fn read_entry(seq: Seq, bytes: &[u8]) -> Result<Entry, StoreError> {
    let record: EntryRecord = read(&format!("entry {}", seq.0), bytes)?;
    if record.sightings.is_empty() {
        return Err(damaged(&format!("entry {}", seq.0), "it has no sighting"));
    }
    Ok(Entry {
        seq,
        id: PublicId(record.id),
        first_seen: instant(record.first_seen),
        sightings: record.sightings.into_iter().map(sighting).collect(),
        placements: record.placements.into_iter().filter_map(placement).collect(),
        held: record.held.map(instant),
    })
}

fn sighting_record(sighting: &Sighting) -> SightingRecord {
    let Particulars { related, origin, duration, episode, season, is_explicit } = &sighting.particulars;
    SightingRecord {
        seq: sighting.seq.0,
        source: sighting.source.as_str().to_owned(),
        id: sighting.id.0,
        first_seen: millis(sighting.first_seen),
        sort_at: millis(sighting.sort_at),
        changed: sighting.changed.map(millis),
        guid: sighting.guid.as_ref().map(|guid| guid.value.clone()),
        is_permalink: sighting.guid.as_ref().and_then(|guid| guid.is_permalink),
        url: spelt(sighting.url.as_ref()),
        title: sighting.title.clone(),
        published: sighting.published.map(millis),
        authors: sighting.authors.iter().map(person_record).collect(),
        categories: sighting.categories.clone(),
        enclosures: sighting.enclosures.iter().map(enclosure_record).collect(),
        language: sighting.language.clone(),
        text: sighting.text.map(|hash| hash.0),
        ground: ground_byte(sighting.ground),
        score: sighting.score,
        evidence: sighting.evidence.clone(),
        keys: sighting.keys.iter().map(|key| KeyRecord { kind: kind_byte(key.kind), hash: key.hash }).collect(),
        fingerprint: sighting.fingerprint,
        reading: sighting.reading,
        matched: sighting.matched.map(|seq| seq.0),
        related: Some(related.iter().map(related_record).collect::<Vec<_>>()).filter(|related| !related.is_empty()),
        origin: origin.as_ref().map(origin_record),
        duration: duration.map(|duration| duration.as_secs()),
        episode: *episode,
        season: *season,
        is_explicit: *is_explicit,
    }
}

fn person_record(person: &Person) -> PersonRecord {
    PersonRecord { name: person.name.clone(), url: spelt(person.url.as_ref()) }
}

fn person(record: PersonRecord) -> Person {
    Person { name: record.name, url: address(record.url) }
}

fn related_byte(kind: RelatedKind) -> u8 {
    match kind {
        RelatedKind::Comments => 1,
        RelatedKind::Transcript => 2,
        RelatedKind::Chapters => 3,
        RelatedKind::Image => 4,
        RelatedKind::Subject => 5,
    }
}

fn related_record(related: &Related) -> RelatedRecord {
    let Related { kind, url, media_type } = related;
    RelatedRecord { kind: related_byte(*kind), url: url.as_str().to_owned(), media_type: media_type.clone() }
}

/// `None` for a kind of a later version.
fn related(record: RelatedRecord) -> Option<Related> {
    let kind = RelatedKind::ALL.into_iter().find(|kind| related_byte(*kind) == record.kind)?;
    Some(Related { kind, url: Url::parse(&record.url).ok()?, media_type: record.media_type })
}

fn origin_record(origin: &Origin) -> OriginRecord {
    let Origin { title, url, feed, id, updated } = origin;
    OriginRecord {
        title: title.clone(),
        url: spelt(url.as_ref()),
        feed: spelt(feed.as_ref()),
        id: id.clone(),
        updated: updated.map(millis),
    }
}

fn origin(record: OriginRecord) -> Origin {
    let OriginRecord { title, url, feed, id, updated } = record;
    Origin { title, url: address(url), feed: address(feed), id, updated: updated.map(instant) }
}

fn sighting(record: SightingRecord) -> Sighting {
    Sighting {
        seq: Seq(record.seq),
        source: Scope(record.source.into()),
        id: PublicId(record.id),
        first_seen: instant(record.first_seen),
        sort_at: instant(record.sort_at),
        changed: record.changed.map(instant),
        guid: record.guid.map(|value| Guid { value, is_permalink: record.is_permalink }),
        url: address(record.url),
        title: record.title,
        published: record.published.map(instant),
        authors: record.authors.into_iter().map(person).collect(),
        categories: record.categories,
        enclosures: record.enclosures.into_iter().filter_map(enclosure).collect(),
        language: record.language,
        particulars: Particulars {
            related: record.related.unwrap_or_default().into_iter().filter_map(related).collect(),
            origin: record.origin.map(origin),
            duration: record.duration.map(Duration::from_secs),
            episode: record.episode,
            season: record.season,
            is_explicit: record.is_explicit,
        },
        text: record.text.map(TextName),
        ground: ground(record.ground),
        score: record.score,
        evidence: record.evidence,
        keys: record.keys.into_iter().filter_map(key).collect(),
        fingerprint: record.fingerprint,
        reading: record.reading,
        matched: record.matched.map(Seq),
    }
}

fn enclosure_record(enclosure: &Enclosure) -> EnclosureRecord {
    EnclosureRecord {
        url: enclosure.url.as_str().to_owned(),
        media_type: enclosure.media_type.clone(),
        length: enclosure.length,
        title: enclosure.title.clone(),
    }
}

fn enclosure(record: EnclosureRecord) -> Option<Enclosure> {
    let url = Url::parse(&record.url).ok()?;
    Some(Enclosure { url, media_type: record.media_type, length: record.length, title: record.title })
}

fn kind_byte(kind: KeyKind) -> u8 {
    match kind {
        KeyKind::Guid => 1,
        KeyKind::Url => 2,
        KeyKind::Content => 3,
        KeyKind::Title => 4,
    }
}

fn key(record: KeyRecord) -> Option<Key> {
    let kind = match record.kind {
        1 => KeyKind::Guid,
        2 => KeyKind::Url,
        3 => KeyKind::Content,
        4 => KeyKind::Title,
        _ => return None,
    };
    Some(Key { kind, hash: record.hash })
}

fn ground_byte(ground: Ground) -> u8 {
    match ground {
        Ground::First => 0,
        Ground::SameGuid => 1,
        Ground::SameUrl => 2,
        Ground::SameContent => 3,
        Ground::NearDuplicate => 4,
        Ground::Rule => 5,
    }
}

fn ground(byte: u8) -> Ground {
    match byte {
        1 => Ground::SameGuid,
        2 => Ground::SameUrl,
        3 => Ground::SameContent,
        4 => Ground::NearDuplicate,
        5 => Ground::Rule,
        _ => Ground::First,
    }
}

fn placement_record(placement: &Placement) -> PlacementRecord {
    let (feed, name) = match &placement.feed {
        FeedId::All => (1, ""),
        FeedId::Source(scope) => (2, scope.as_str()),
        FeedId::Topic(key) => (3, key.as_str()),
    };
    PlacementRecord { feed, name: name.to_owned(), sort_at: millis(placement.sort_at) }
}

fn placement(record: PlacementRecord) -> Option<Placement> {
    let feed = match record.feed {
        1 => FeedId::All,
        2 => FeedId::Source(Scope(record.name.into())),
        3 => FeedId::Topic(TopicKey::new(&record.name).ok()?),
        _ => return None,
    };
    Some(Placement { feed, sort_at: instant(record.sort_at) })
}

#[derive(Decode)]
struct TextsRecord {
    #[n(0)]
    summary: Option<String>,
    #[n(1)]
    content: Option<String>,
}

/// As [`TextsRecord`], without copying.
#[derive(Encode)]
struct BorrowedTextsRecord<'a> {
    #[n(0)]
    summary: Option<&'a str>,
    #[n(1)]
    content: Option<&'a str>,
}

/// Level of zstd: of all levels the one that costs least; level 3 takes twice its time for a twelfth less.
const COMPRESSION: i32 = 1;

/// Writes and compresses the raw fragments of many sightings; done by the pollers, so that the committer only writes. Setting the
/// compressor up costs more than a short text, so one serves a whole document.
pub struct TextWriter {
    compressor: zstd::bulk::Compressor<'static>,
}

impl Default for TextWriter {
    fn default() -> Self {
        Self { compressor: zstd::bulk::Compressor::new(COMPRESSION).expect("the level is one of zstd's") }
    }
}

impl TextWriter {
    pub fn write(&mut self, summary: Option<&str>, content: Option<&str>) -> Vec<u8> {
        let record = write(&BorrowedTextsRecord { summary, content });
        self.compressor.compress(&record).expect("compressing into memory cannot fail")
    }
}

pub fn read_texts(bytes: &[u8]) -> Result<Texts, StoreError> {
    let texts: TextsRecord = read("a text", &inflated("a text", bytes)?)?;
    Ok(Texts { summary: texts.summary.map(RawHtml), content: texts.content.map(RawHtml) })
}

fn inflated(what: &str, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let length = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten().unwrap_or(0);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > TEXT_LIMIT {
        return Err(damaged(what, "its length is absurd"));
    }
    zstd::bulk::decompress(bytes, length).map_err(|error| damaged(what, &error.to_string()))
}

#[derive(Encode, Decode)]
struct SketchRecord {
    #[n(0)]
    entry: u64,
    #[n(1)]
    sighting: u64,
    #[n(2)]
    source: String,
    #[n(3)]
    published: i64,
    #[n(4)]
    first_seen: i64,
    /// Places of own words, from and to.
    #[n(5)]
    own: Vec<u32>,
    /// Four bytes each, from the lowest.
    #[cbor(n(6), with = "minicbor::bytes")]
    prints: Vec<u8>,
}

#[derive(Encode, Decode)]
struct SketchesRecord {
    #[n(0)]
    sketches: Vec<SketchRecord>,
}

pub fn write_sketches(sketches: &[SketchWrite]) -> Vec<u8> {
    let sketches = sketches.iter().map(|SketchWrite { member, prints }| SketchRecord {
        entry: member.entry.0,
        sighting: member.sighting.0,
        source: member.source.as_str().to_owned(),
        published: millis(member.published),
        first_seen: millis(member.first_seen),
        own: member.own.iter().flat_map(|(from, to)| [*from, *to]).collect(),
        prints: prints.iter().flat_map(|print| print.to_le_bytes()).collect(),
    });
    write(&SketchesRecord { sketches: sketches.collect() })
}

pub fn read_sketches(bytes: &[u8]) -> Result<Vec<SketchWrite>, StoreError> {
    let record: SketchesRecord = read("some sketches", bytes)?;
    let sketch = |record: SketchRecord| SketchWrite {
        member: Member {
            entry: Seq(record.entry),
            sighting: Seq(record.sighting),
            source: Scope(record.source.into()),
            published: instant(record.published),
            first_seen: instant(record.first_seen),
            own: record.own.as_chunks().0.iter().map(|[from, to]| (*from, *to)).collect(),
        },
        prints: record.prints.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect(),
    };
    Ok(record.sketches.into_iter().map(sketch).collect())
}

#[derive(Encode, Decode)]
struct PageRecord {
    #[n(0)]
    at: i64,
    #[n(1)]
    url: String,
    /// Compressed.
    #[cbor(n(2), with = "minicbor::bytes")]
    html: Vec<u8>,
}

/// Writes and compresses the text of a page; done beside the committer.
pub fn write_page(page: &PageText) -> Vec<u8> {
    let html = zstd::bulk::compress(page.html.0.as_bytes(), COMPRESSION).expect("compressing into memory cannot fail");
    write(&PageRecord { at: millis(page.at), url: page.url.as_str().to_owned(), html })
}

pub fn read_page(bytes: &[u8]) -> Result<PageText, StoreError> {
    let what = "the text of a page";
    let record: PageRecord = read(what, bytes)?;
    let html = String::from_utf8(inflated(what, &record.html)?).map_err(|error| damaged(what, &error.to_string()))?;
    let url = Url::parse(&record.url).map_err(|error| damaged(what, &error.to_string()))?;
    Ok(PageText { url, at: instant(record.at), html: RawHtml(html) })
}

/// When the text of a page was stored.
pub fn read_page_time(bytes: &[u8]) -> Result<Timestamp, StoreError> {
    read("the text of a page", bytes).map(|record: PageRecord| instant(record.at))
}

#[derive(Encode, Decode)]
struct SourceRecord {
    #[n(0)]
    location: String,
    #[n(1)]
    validated_url: Option<String>,
    #[cbor(n(2), with = "minicbor::bytes")]
    etag: Option<Vec<u8>>,
    #[cbor(n(3), with = "minicbor::bytes")]
    last_modified: Option<Vec<u8>>,
    #[n(4)]
    moved: Option<String>,
    #[n(5)]
    title: Option<String>,
    #[n(6)]
    site: Option<String>,
    #[n(7)]
    problem: Option<String>,
    #[n(8)]
    notes: Vec<String>,
    #[n(9)]
    entries: u64,
    #[n(10)]
    last_change: Option<i64>,
    #[n(11)]
    last_attempt: Option<i64>,
    #[n(12)]
    last_success: Option<i64>,
    #[n(13)]
    failures: u32,
    #[n(14)]
    throttled_until: Option<i64>,
    #[n(15)]
    hint_until: Option<i64>,
    #[n(16)]
    gone_since: Option<i64>,
    #[n(17)]
    published: Vec<i64>,
    #[n(18)]
    named: Option<String>,
    #[n(19)]
    every: Option<u64>,
    #[n(20)]
    quiet_hours: Option<u32>,
    #[n(21)]
    quiet_days: Option<u8>,
    #[n(22)]
    document: Option<DocumentRecord>,
    #[n(23)]
    polls: Option<Vec<PollRecord>>,
    #[n(30)]
    about: Option<AboutRecord>,
}

/// What a source's document says about itself.
#[derive(Encode, Decode)]
struct AboutRecord {
    #[n(0)]
    id: Option<String>,
    #[n(1)]
    description: Option<String>,
    #[n(2)]
    language: Option<String>,
    #[n(3)]
    image: Option<String>,
    #[n(4)]
    rights: Option<String>,
    #[n(5)]
    authors: Vec<PersonRecord>,
    #[n(6)]
    categories: Vec<String>,
}

/// `None` for a document that says nothing.
fn about_record(about: &About) -> Option<AboutRecord> {
    let About { id, description, language, image, rights, authors, categories } = about;
    (*about != About::default()).then(|| AboutRecord {
        id: id.clone(),
        description: description.clone(),
        language: language.clone(),
        image: spelt(image.as_ref()),
        rights: rights.clone(),
        authors: authors.iter().map(person_record).collect(),
        categories: categories.clone(),
    })
}

fn about(record: AboutRecord) -> About {
    let AboutRecord { id, description, language, image, rights, authors, categories } = record;
    let authors = authors.into_iter().map(person).collect();
    About { id, description, language, image: address(image), rights, authors, categories }
}

/// What a source's document held.
#[derive(Encode, Decode)]
struct DocumentRecord {
    #[n(0)]
    at: i64,
    #[n(1)]
    entries: u32,
    #[n(2)]
    oldest: Option<i64>,
}

#[derive(Encode, Decode)]
struct PollRecord {
    #[n(0)]
    at: i64,
    #[n(1)]
    outcome: u8,
    #[n(2)]
    reason: Option<String>,
    #[n(3)]
    entries: Option<u32>,
    #[n(4)]
    new: u32,
    #[n(5)]
    joined: u32,
    #[n(6)]
    updated: u32,
}

fn document_record(document: &DocumentFacts) -> DocumentRecord {
    let DocumentFacts { at, entries, oldest } = *document;
    DocumentRecord { at: millis(at), entries, oldest: oldest.map(millis) }
}

fn document(record: &DocumentRecord) -> DocumentFacts {
    let DocumentRecord { at, entries, oldest } = *record;
    DocumentFacts { at: instant(at), entries, oldest: oldest.map(instant) }
}

fn outcome_byte(outcome: PollOutcome) -> u8 {
    match outcome {
        PollOutcome::Fresh => 0,
        PollOutcome::NotModified => 1,
        PollOutcome::Throttled => 2,
        PollOutcome::Gone => 3,
        PollOutcome::Failed => 4,
    }
}

fn poll_record(poll: &PastPoll) -> PollRecord {
    let PastPoll { at, outcome, reason, entries, new, joined, updated } = poll;
    PollRecord {
        at: millis(*at),
        outcome: outcome_byte(*outcome),
        reason: reason.as_deref().map(str::to_owned),
        entries: *entries,
        new: *new,
        joined: *joined,
        updated: *updated,
    }
}

/// `None` for an outcome of a later version: a poll that cannot be told is left out.
fn poll(record: PollRecord) -> Option<PastPoll> {
    let PollRecord { at, outcome, reason, entries, new, joined, updated } = record;
    let outcome = PollOutcome::ALL.into_iter().find(|known| outcome_byte(*known) == outcome)?;
    Some(PastPoll { at: instant(at), outcome, reason: reason.map(Into::into), entries, new, joined, updated })
}

pub fn write_source(state: &SourceState) -> Vec<u8> {
    let facts = &state.facts;
    write(&SourceRecord {
        location: state.location.clone(),
        validated_url: spelt(state.validators.url.as_ref()),
        etag: state.validators.etag.clone(),
        last_modified: state.validators.last_modified.clone(),
        moved: spelt(state.moved.as_ref()),
        title: state.title.clone(),
        site: spelt(state.site.as_ref()),
        problem: state.problem.clone(),
        notes: state.notes.clone(),
        entries: state.entries,
        last_change: state.last_change.map(millis),
        last_attempt: facts.last_attempt.map(millis),
        last_success: facts.last_success.map(millis),
        failures: facts.failures,
        throttled_until: facts.throttled_until.map(millis),
        hint_until: facts.hint_until.map(millis),
        gone_since: facts.gone_since.map(millis),
        published: facts.published.iter().copied().map(millis).collect(),
        every: facts.rhythm.every.map(|every| every.as_secs()),
        quiet_hours: Some(facts.rhythm.quiet_hours).filter(|hours| *hours > 0),
        quiet_days: Some(facts.rhythm.quiet_days).filter(|days| *days > 0),
        named: spelt(state.named.as_ref()),
        document: state.document.as_ref().map(document_record),
        about: about_record(&state.about),
        polls: Some(state.polls.iter().map(poll_record).collect::<Vec<_>>()).filter(|polls| !polls.is_empty()),
    })
}

pub fn read_source(bytes: &[u8]) -> Result<SourceState, StoreError> {
    let record: SourceRecord = read("a source", bytes)?;
    Ok(SourceState {
        facts: schedule::Facts {
            last_attempt: record.last_attempt.map(instant),
            last_success: record.last_success.map(instant),
            failures: record.failures,
            throttled_until: record.throttled_until.map(instant),
            hint_until: record.hint_until.map(instant),
            gone_since: record.gone_since.map(instant),
            published: record.published.into_iter().map(instant).collect(),
            rhythm: schedule::Rhythm {
                every: record.every.map(Duration::from_secs),
                quiet_hours: record.quiet_hours.unwrap_or_default(),
                quiet_days: record.quiet_days.unwrap_or_default(),
            },
        },
        location: record.location,
        validators: Validators {
            url: address(record.validated_url),
            etag: record.etag,
            last_modified: record.last_modified,
        },
        moved: address(record.moved),
        named: address(record.named),
        title: record.title,
        site: address(record.site),
        problem: record.problem,
        notes: record.notes,
        entries: record.entries,
        last_change: record.last_change.map(instant),
        document: record.document.as_ref().map(document),
        about: record.about.map(about).unwrap_or_default(),
        polls: record.polls.unwrap_or_default().into_iter().filter_map(poll).collect(),
    })
}

#[derive(Encode, Decode)]
struct LastDocumentRecord {
    #[cbor(n(0), with = "minicbor::bytes")]
    hashes: Vec<u8>,
}

pub fn write_last_document(hashes: &[[u8; 16]]) -> Vec<u8> {
    write(&LastDocumentRecord { hashes: hashes.concat() })
}

pub fn read_last_document(bytes: &[u8]) -> Result<Vec<[u8; 16]>, StoreError> {
    let record: LastDocumentRecord = read("a last document", bytes)?;
    let (whole, _) = record.hashes.as_chunks::<16>();
    Ok(whole.to_vec())
}

#[derive(Encode, Decode)]
struct ChangedRecord {
    #[n(0)]
    entries: Vec<u64>,
}

pub fn write_changed(entries: &[Seq]) -> Vec<u8> {
    write(&ChangedRecord { entries: entries.iter().map(|seq| seq.0).collect() })
}

pub fn read_changed(bytes: &[u8]) -> Result<Vec<Seq>, StoreError> {
    let record: ChangedRecord = read("the journal", bytes)?;
    Ok(record.entries.into_iter().map(Seq).collect())
}

/// Two lists of one length: a record of a hundred places is half as long as one that names the fields of each.
#[derive(Encode, Decode)]
struct PlacesRecord {
    #[n(0)]
    times: Vec<i64>,
    #[n(1)]
    entries: Vec<u64>,
}

pub fn write_places(places: &[Place]) -> Vec<u8> {
    write(&PlacesRecord {
        times: places.iter().map(|place| millis(place.sort_at)).collect(),
        entries: places.iter().map(|place| place.seq.0).collect(),
    })
}

pub fn read_places(bytes: &[u8]) -> Result<Vec<Place>, StoreError> {
    let record: PlacesRecord = read("an archive page", bytes)?;
    if record.times.len() != record.entries.len() {
        return Err(damaged("an archive page", "has times without entries, or entries without times"));
    }
    let places = record.times.into_iter().zip(record.entries);
    Ok(places.map(|(time, entry)| Place { sort_at: instant(time), seq: Seq(entry) }).collect())
}

/// What of a topic decides its membership, and which generation of memberships follows it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TopicRecord {
    #[n(0)]
    pub epoch: u32,
    #[n(1)]
    pub query: Option<String>,
    /// Scopes of the sources that name it, sorted.
    #[n(2)]
    pub sources: Vec<String>,
}

pub fn write_topic(record: &TopicRecord) -> Vec<u8> {
    write(record)
}

pub fn read_topic(bytes: &[u8]) -> Result<TopicRecord, StoreError> {
    read("a topic", bytes)
}

#[derive(Encode, Decode)]
struct TombstoneRecord {
    #[n(0)]
    since: i64,
    #[cbor(n(1), with = "minicbor::bytes")]
    id: Hash,
}

pub fn write_tombstone(tombstone: &Tombstone) -> Vec<u8> {
    write(&TombstoneRecord { since: millis(tombstone.since), id: tombstone.id.0 })
}

pub fn read_tombstone(bytes: &[u8]) -> Result<Tombstone, StoreError> {
    let record: TombstoneRecord = read("a tombstone", bytes)?;
    Ok(Tombstone { since: instant(record.since), id: PublicId(record.id) })
}

#[derive(Encode, Decode)]
struct SubscriptionRecord {
    #[n(0)]
    topic: String,
    #[n(1)]
    asked: String,
    #[n(2)]
    callback: String,
    #[n(3)]
    secret: Option<String>,
    #[n(4)]
    until: i64,
    #[n(5)]
    through: u64,
    #[n(6)]
    failures: u32,
    #[n(7)]
    retry_at: Option<i64>,
}

pub fn write_subscription(subscription: &Subscription) -> Vec<u8> {
    let Subscription { topic, asked, callback, secret, until, through, failures, retry_at } = subscription;
    write(&SubscriptionRecord {
        topic: topic.to_string(),
        asked: asked.clone(),
        callback: callback.to_string(),
        secret: secret.as_ref().map(|secret| secret.reveal().to_owned()),
        until: millis(*until),
        through: *through,
        failures: *failures,
        retry_at: retry_at.map(millis),
    })
}

pub fn read_subscription(bytes: &[u8]) -> Result<Subscription, StoreError> {
    let record: SubscriptionRecord = read("a subscription", bytes)?;
    Ok(Subscription {
        topic: record.topic.into(),
        asked: record.asked,
        callback: record.callback.into(),
        secret: record.secret.map(Secret::new),
        until: instant(record.until),
        through: record.through,
        failures: record.failures,
        retry_at: record.retry_at.map(instant),
    })
}

#[derive(Encode, Decode)]
struct HubRecord {
    #[n(0)]
    through: u64,
}

pub fn write_hub(through: u64) -> Vec<u8> {
    write(&HubRecord { through })
}

pub fn read_hub(bytes: &[u8]) -> Result<u64, StoreError> {
    read("the hub", bytes).map(|record: HubRecord| record.through)
}

/// One rule over merging, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RuleRecord {
    /// Of `[[never_merge]]`.
    #[n(0)]
    pub is_apart: bool,
    #[n(1)]
    pub urls: Vec<String>,
    #[n(2)]
    pub query: Option<String>,
}

/// Which rules stored entries follow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct RulesRecord {
    #[n(0)]
    pub applied: Vec<RuleRecord>,
    /// Rules that some entries may follow already, or still: a rearrangement under way ends with none.
    #[n(1)]
    pub begun: Vec<RuleRecord>,
}

pub fn write_rules(record: &RulesRecord) -> Vec<u8> {
    write(record)
}

pub fn read_rules(bytes: &[u8]) -> Result<RulesRecord, StoreError> {
    read("the rules over merging", bytes)
}

/// Counters of the whole store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Counters {
    /// The next free sequence number.
    #[n(0)]
    pub next: u64,
    #[n(1)]
    pub entries: u64,
    #[n(2)]
    pub sightings: u64,
}

pub fn write_counters(counters: &Counters) -> Vec<u8> {
    write(counters)
}

pub fn read_counters(bytes: &[u8]) -> Result<Counters, StoreError> {
    read("the counters", bytes)
}
