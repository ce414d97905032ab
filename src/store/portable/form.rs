//! Sightings and sources as a line shows them, and back: every field by its name.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::model::Timestamp;
use crate::model::document::{Enclosure, Guid};
use crate::model::entry::{Ground, Key, KeyKind, Placement, PublicId, Seq, Sighting, TextName};
use crate::model::feed::FeedId;
use crate::model::source::{Scope, TopicKey, Validators};
use crate::schedule;
use crate::store::portable::particulars::{AboutForm, ParticularsForm, PersonForm};
use crate::store::portable::value::{Bytes, Hash, Id, Millis, hex};
use crate::store::record::RuleRecord;
use crate::store::source::{DocumentFacts, PastPoll, PollOutcome, SourceState};

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
    #[serde(default, skip_serializing_if = "is_none")]
    particulars: ParticularsForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Hash>,
    ground: String,
    score: f32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    evidence: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    matched: Option<u64>,
    /// `guid:…`, `url:…`, `content:…` or `title:…`, what its source calls it now first.
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

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleForm {
    is_apart: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    urls: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceForm {
    pub(super) scope: String,
    location: String,
    validated_url: Option<String>,
    etag: Option<Bytes>,
    last_modified: Option<Bytes>,
    moved: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    named: Option<String>,
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
    /// In seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<u64>,
    #[serde(default, skip_serializing_if = "is_none")]
    quiet_hours: u32,
    #[serde(default, skip_serializing_if = "is_none")]
    quiet_days: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    document: Option<DocumentForm>,
    #[serde(default, skip_serializing_if = "is_none")]
    about: AboutForm,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    polls: Vec<PollForm>,
}

/// What a source's document held.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentForm {
    at: Millis,
    entries: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    oldest: Option<Millis>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PollForm {
    at: Millis,
    outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entries: Option<u32>,
    #[serde(default, skip_serializing_if = "is_none")]
    new: u32,
    #[serde(default, skip_serializing_if = "is_none")]
    joined: u32,
    #[serde(default, skip_serializing_if = "is_none")]
    updated: u32,
}

fn document_form(document: DocumentFacts) -> DocumentForm {
    let DocumentFacts { at, entries, oldest } = document;
    DocumentForm { at: Millis::of(at), entries, oldest: oldest.map(Millis::of) }
}

fn document(form: &DocumentForm) -> Result<DocumentFacts, String> {
    let DocumentForm { at, entries, oldest } = form;
    Ok(DocumentFacts { at: at.instant()?, entries: *entries, oldest: instant(*oldest)? })
}

fn poll_form(poll: PastPoll) -> PollForm {
    let PastPoll { at, outcome, reason, entries, new, joined, updated } = poll;
    let outcome = outcome.name().to_owned();
    PollForm { at: Millis::of(at), outcome, reason: reason.map(String::from), entries, new, joined, updated }
}

fn poll(form: &PollForm) -> Result<PastPoll, String> {
    let PollForm { at, outcome, reason, entries, new, joined, updated } = form;
    let outcome = PollOutcome::ALL.into_iter().find(|known| known.name() == outcome);
    let outcome = outcome.ok_or_else(|| format!("`{}` is no outcome of a poll", form.outcome))?;
    let (reason, at) = (reason.as_deref().map(Into::into), at.instant()?);
    Ok(PastPoll { at, outcome, reason, entries: *entries, new: *new, joined: *joined, updated: *updated })
}

fn is_none<T: Default + PartialEq>(bits: &T) -> bool {
    *bits == T::default()
}

pub(super) fn feed_name(feed: &FeedId) -> String {
    match feed {
        FeedId::All => "all".to_owned(),
        FeedId::Source(scope) => format!("source:{}", scope.as_str()),
        FeedId::Topic(key) => format!("topic:{key}"),
    }
}

pub(super) fn feed_id(name: &str) -> Result<FeedId, String> {
    match name.split_once(':') {
        None if name == "all" => Ok(FeedId::All),
        Some(("source", scope)) => Ok(FeedId::Source(Scope(scope.into()))),
        Some(("topic", key)) => TopicKey::new(key).map(FeedId::Topic).map_err(|problem| problem.to_string()),
        _ => Err(format!("`{name}` is no feed")),
    }
}

pub(super) fn key_name(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Guid => "guid",
        KeyKind::Url => "url",
        KeyKind::Content => "content",
        KeyKind::Title => "title",
    }
}

pub(super) fn key_kind(name: &str) -> Result<KeyKind, String> {
    match name {
        "guid" => Ok(KeyKind::Guid),
        "url" => Ok(KeyKind::Url),
        "content" => Ok(KeyKind::Content),
        "title" => Ok(KeyKind::Title),
        _ => Err(format!("`{name}` is no kind of key")),
    }
}

const GROUNDS: [Ground; 6] =
    [Ground::First, Ground::Rule, Ground::SameGuid, Ground::SameUrl, Ground::SameContent, Ground::NearDuplicate];

/// A field that is added to a sighting does not compile until it has a name here.
pub(super) fn sighting_form(sighting: Sighting) -> SightingForm {
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
        particulars,
        text,
        ground,
        score,
        evidence,
        matched,
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
        authors: authors.into_iter().map(PersonForm::of).collect(),
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
        particulars: ParticularsForm::of(particulars),
        text: text.map(|hash| Hash(hash.0)),
        ground: ground.name().to_owned(),
        score,
        evidence,
        matched: matched.map(|seq| seq.0),
        keys: keys.iter().map(|key| format!("{}:{}", key_name(key.kind), hex(&key.hash))).collect(),
        fingerprint: Hash(fingerprint),
        reading: Hash(reading),
    }
}

pub(super) fn sighting(form: &SightingForm) -> Result<Sighting, String> {
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
        authors: form.authors.iter().map(PersonForm::person).collect::<Result<_, _>>()?,
        categories: form.categories.clone(),
        enclosures: form.enclosures.iter().map(enclosure).collect::<Result<_, _>>()?,
        language: form.language.clone(),
        particulars: form.particulars.read()?,
        text: form.text.map(|hash| TextName(hash.0)),
        ground: ground.ok_or_else(|| format!("`{}` is no ground", form.ground))?,
        score: form.score,
        evidence: form.evidence.clone(),
        matched: form.matched.map(Seq),
        keys: form.keys.iter().map(key).collect::<Result<_, _>>()?,
        fingerprint: form.fingerprint.0,
        reading: form.reading.0,
    })
}

pub(super) fn placement_form(placement: &Placement) -> PlacementForm {
    let Placement { feed, sort_at } = placement;
    PlacementForm { feed: feed_name(feed), sort_at: Millis::of(*sort_at) }
}

pub(super) fn placement(form: &PlacementForm) -> Result<Placement, String> {
    Ok(Placement { feed: feed_id(&form.feed)?, sort_at: form.sort_at.instant()? })
}

pub(super) fn rule_form(rule: RuleRecord) -> RuleForm {
    let RuleRecord { is_apart, urls, query } = rule;
    RuleForm { is_apart, urls, query }
}

pub(super) fn rule(form: &RuleForm) -> RuleRecord {
    let RuleForm { is_apart, urls, query } = form.clone();
    RuleRecord { is_apart, urls, query }
}

pub(super) fn instant(millis: Option<Millis>) -> Result<Option<Timestamp>, String> {
    millis.map(Millis::instant).transpose()
}

pub(super) fn address(text: &str) -> Result<Url, String> {
    Url::parse(text).map_err(|error| format!("`{text}` is no address ({error})"))
}

/// A fact that is added to a source does not compile until it has a name here.
pub(super) fn source_form(scope: String, state: SourceState) -> SourceForm {
    let SourceState {
        facts,
        location,
        validators: Validators { url, etag, last_modified },
        moved,
        named,
        title,
        site,
        problem,
        notes,
        entries,
        last_change,
        document,
        about,
        polls,
    } = state;
    let schedule::Facts {
        last_attempt,
        last_success,
        failures,
        throttled_until,
        hint_until,
        gone_since,
        published,
        rhythm: schedule::Rhythm { every, quiet_hours, quiet_days },
    } = facts;
    SourceForm {
        scope,
        location,
        validated_url: url.map(String::from),
        etag: etag.map(Bytes),
        last_modified: last_modified.map(Bytes),
        moved: moved.map(String::from),
        named: named.map(String::from),
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
        every: every.map(|every| every.as_secs()),
        quiet_hours,
        quiet_days,
        document: document.map(document_form),
        about: AboutForm::of(about),
        polls: polls.into_iter().map(poll_form).collect(),
    }
}

pub(super) fn source_state(form: &SourceForm) -> Result<SourceState, String> {
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
            rhythm: schedule::Rhythm {
                every: form.every.map(Duration::from_secs),
                quiet_hours: form.quiet_hours,
                quiet_days: form.quiet_days,
            },
        },
        location: form.location.clone(),
        validators: Validators {
            url: url(&form.validated_url)?,
            etag: bytes(&form.etag),
            last_modified: bytes(&form.last_modified),
        },
        moved: url(&form.moved)?,
        named: url(&form.named)?,
        title: form.title.clone(),
        site: url(&form.site)?,
        problem: form.problem.clone(),
        notes: form.notes.clone(),
        entries: form.entries,
        last_change: instant(form.last_change)?,
        document: form.document.as_ref().map(document).transpose()?,
        about: form.about.read()?,
        polls: form.polls.iter().map(poll).collect::<Result<_, _>>()?,
    })
}
