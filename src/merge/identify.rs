//! One document's observations → the keys by which each can be recognised.
//!
//! What counts as a key depends on the whole document: a guid or an address that several entries share names none of them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use url::Url;

use crate::merge::alike::index::Sketch;
use crate::merge::{canonical, pictures};
use crate::model::document::{Observation, Particulars, RawHtml};
use crate::model::entry::{Key, KeyKind, PublicId, Sighting, TextDigest, TextName, Texts};
use crate::model::source::Scope;
use crate::text;

/// Shorter texts ("No warnings.") say the same thing about different things.
pub const CONTENT_WORDS: usize = 25;

/// The version of the key algorithms. Part of every hash: a new one must not meet keys of the old one by accident.
const ALGORITHM: &str = "1";

/// Name space of our version 5 UUIDs. Never to be changed: published ids follow from it.
const NAME_SPACE: uuid::Uuid = uuid::uuid!("6f0f3f39-6a0c-5d1e-9c55-0c1f6d7f3b52");

/// An observation with everything that identity needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Identified {
    pub observation: Observation,
    /// What the source itself calls it: its guid, else its address, else its text. One per observation of a document.
    pub own: Key,
    pub url: Option<Key>,
    pub content: Option<Key>,
    /// By its title, where a rule asks for that; see [`crate::merge::rules::title_key`].
    pub title: Option<Key>,
    /// Whether `own` means the same thing in every source.
    pub is_global: bool,
    /// The public ids it may take, strongest first; the last one is unique to this source.
    pub ids: Vec<PublicId>,
    /// See [`crate::model::entry::Sighting::fingerprint`].
    pub fingerprint: [u8; 16],
    /// See [`crate::model::entry::Sighting::reading`].
    pub reading: [u8; 16],
    /// The visible text of its content, or of its summary when that is longer.
    pub text: String,
    /// Of the raw fragments; `None` without any.
    pub digest: Option<TextDigest>,
    /// What near-duplicates are found by; depends on the whole document, so it is made apart ([`crate::merge::alike::sketches`]).
    pub sketch: Option<Sketch>,
}

impl Identified {
    /// Its keys from the strongest to the weakest.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        [Some(self.own), self.url, self.content, self.title].into_iter().flatten()
    }

    /// Equal as long as a document shows the same observation unchanged, and it is recognised by the same keys: an address that a
    /// neighbour shared until now becomes a key when the neighbour is gone.
    pub fn version(&self) -> [u8; 16] {
        let mut version = self.own.hash;
        let keys = [self.url, self.content].map(|key| key.map_or([0; 16], |key| key.hash));
        // All are hashes already; the rotations keep equal ones from cancelling out.
        for (rotation, part) in (1..).zip([self.fingerprint, keys[0], keys[1]]) {
            for (byte, other) in version.iter_mut().zip(part) {
                *byte = byte.rotate_left(rotation) ^ other;
            }
        }
        version
    }

    pub fn summary(&self) -> Option<&str> {
        self.observation.summary.as_ref().map(|html| html.0.as_str())
    }

    pub fn content(&self) -> Option<&str> {
        self.observation.content.as_ref().map(|html| html.0.as_str())
    }

    /// What a person is shown of it below the title: see [`told`].
    pub fn told(&self) -> Cow<'_, str> {
        if self.text.is_empty() {
            let fragments = [self.summary(), self.content()].into_iter().flatten();
            return Cow::Owned(pictures::pictures(fragments));
        }
        Cow::Borrowed(&self.text)
    }

    /// The raw fragments, as they are stored.
    pub fn texts(&self) -> Texts {
        Texts { summary: self.observation.summary.clone(), content: self.observation.content.clone() }
    }
}

/// Recognises every observation of one document. Copies of the same observation within it are folded into the first.
///
/// `site` is the source's own page: an address equal to it is no key.
pub fn identify(scope: &Scope, site: Option<&Url>, observations: Vec<Observation>) -> Vec<Identified> {
    let site = site.map(canonical::canonical);
    let addresses: Vec<Option<String>> =
        observations.iter().map(|observation| observation.address().map(canonical::canonical)).collect();
    let repeats = Repeats::count(&observations, &addresses);
    let of_document: Vec<(Address, bool)> = observations
        .iter()
        .zip(&addresses)
        .map(|(observation, canonical)| {
            let names_one = canonical.as_ref().is_some_and(|canonical| {
                repeats.address(canonical) == 1
                    && site.as_ref() != Some(canonical)
                    && !observation.address().is_some_and(canonical::is_front_page)
            });
            let fragment = observation.address().filter(|_| names_one).and_then(canonical::telling_fragment);
            let repeated = observation.guid.as_ref().is_some_and(|guid| repeats.guid(&guid.value) > 1);
            let canonical = canonical.clone().unwrap_or_default();
            (Address { canonical, names_one, fragment: fragment.map(str::to_owned) }, repeated)
        })
        .collect();
    let mut met = HashSet::new();
    let all = observations.into_iter().zip(of_document);
    all.map(|(observation, (address, repeated))| one(scope, observation, &address, repeated))
        .filter(|seen| met.insert(seen.own))
        .collect()
}

/// The visible text of a stored sighting's content, or of its summary when that is longer.
pub fn shown_text(texts: &Texts) -> String {
    let shown = texts.parts().into_iter().flatten().map(text::visible);
    shown.max_by_key(String::len).unwrap_or_default()
}

/// Recognises a stored sighting as it was recognised when it came; for deciding on it once more. Its keys are those that it has.
pub fn again(sighting: &Sighting, texts: Texts) -> Identified {
    let text = shown_text(&texts);
    let Texts { summary, content } = texts;
    let of = |kind| sighting.keys.iter().rev().find(|key| key.kind == kind).copied();
    let own = sighting.keys.first().copied().unwrap_or(Key { kind: KeyKind::Guid, hash: sighting.fingerprint });
    let guid = sighting.guid.as_ref();
    let is_global = guid.is_some_and(|guid| {
        is_global(&guid.value, guid.is_permalink) && own == own_key(&authority(&guid.value), &["global", &guid.value])
    });
    Identified {
        observation: Observation {
            guid: sighting.guid.clone(),
            title: sighting.title.clone(),
            url: sighting.url.clone(),
            published: sighting.published,
            authors: sighting.authors.clone(),
            categories: sighting.categories.clone(),
            summary,
            content,
            enclosures: sighting.enclosures.clone(),
            language: sighting.language.clone(),
            particulars: sighting.particulars.clone(),
            ..Observation::default()
        },
        own,
        url: of(KeyKind::Url),
        content: content_hash(&text).map(|hash| Key { kind: KeyKind::Content, hash }),
        title: of(KeyKind::Title),
        is_global,
        ids: vec![sighting.id],
        fingerprint: sighting.fingerprint,
        reading: sighting.reading,
        text,
        digest: sighting.text.map(TextName::digest),
        sketch: None,
    }
}

/// What a person is shown below the title: the visible text of content or summary, whichever is longer; of pictures without words what
/// tells them apart.
pub fn told(texts: &Texts) -> String {
    let shown = texts.parts().into_iter().flatten().map(text::visible);
    let text = shown.max_by_key(String::len).unwrap_or_default();
    if text.is_empty() { pictures::pictures(texts.parts().into_iter().flatten()) } else { text }
}

/// Names that the same source may have given to an observation before: its guid with another scheme, with or without `www.` and a
/// slash at the end, or declared as permanent or not. None for one that is not named by its guid alone.
pub fn spellings(scope: &Scope, one: &Identified) -> Vec<Key> {
    let Some(guid) = one.observation.guid.as_ref().map(|guid| guid.value.as_str()) else { return Vec::new() };
    let names = |guid: &str| {
        let global = own_key(&authority(guid), &["global", guid]);
        [global, own_key(scope.as_str(), &["guid", scope.as_str(), guid])]
    };
    let Some((_, rest)) = address_parts(guid).filter(|_| names(guid).contains(&one.own)) else { return Vec::new() };
    let mut found = Vec::new();
    for scheme in ["http://", "https://"] {
        for www in ["", "www."] {
            for slash in ["", "/"] {
                found.extend(names(&format!("{scheme}{www}{rest}{slash}")));
            }
        }
    }
    found.retain(|key| *key != one.own);
    found
}

/// The host of a guid that is an address, without `www.`, and what follows the scheme, without `www.` and the slash at the end.
fn address_parts(guid: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = guid.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let rest = rest.strip_prefix("www.").unwrap_or(rest).trim_end_matches('/');
    let (host, path) = rest.split_once('/')?;
    (!path.is_empty()).then_some((host, rest))
}

/// The keys under which an entry at an address can be found, as its own address or as a permanent guid.
pub fn keys_of(address: &Url) -> Vec<Key> {
    let site = canonical::site_host(address).unwrap_or_default();
    let url = Key { kind: KeyKind::Url, hash: near(site, hash(&["url", &canonical::canonical(address)])) };
    let guid = address.as_str();
    // Guids are compared letter by letter, and an address without a path is written in two ways.
    let spellings = [guid, guid.trim_end_matches('/')];
    let guids = spellings.iter().map(|guid| own_key(&authority(guid), &["global", guid]));
    let mut keys: Vec<Key> = std::iter::once(url).chain(guids).collect();
    keys.dedup();
    keys
}

/// How often each guid and each canonical address stands in a document.
struct Repeats<'a> {
    guids: HashMap<&'a str, usize>,
    addresses: HashMap<&'a str, usize>,
}

impl<'a> Repeats<'a> {
    fn count(observations: &'a [Observation], addresses: &'a [Option<String>]) -> Self {
        let mut repeats = Self { guids: HashMap::new(), addresses: HashMap::new() };
        for guid in observations.iter().filter_map(|observation| observation.guid.as_ref()) {
            *repeats.guids.entry(&guid.value).or_default() += 1;
        }
        for address in addresses.iter().flatten() {
            *repeats.addresses.entry(address).or_default() += 1;
        }
        repeats
    }

    fn guid(&self, guid: &str) -> usize {
        self.guids.get(guid).copied().unwrap_or_default()
    }

    fn address(&self, canonical: &str) -> usize {
        self.addresses.get(canonical).copied().unwrap_or_default()
    }
}

/// An observation's address, within its document.
struct Address {
    /// Empty without an address.
    canonical: String,
    /// Whether it names this observation and no other one.
    names_one: bool,
    fragment: Option<String>,
}

fn one(scope: &Scope, observation: Observation, address: &Address, guid_repeats: bool) -> Identified {
    let [summary, content] =
        [&observation.summary, &observation.content].map(|html| html.as_ref().map(|html| text::visible(&html.0)));
    let joined = match (&summary, &content) {
        (Some(summary), Some(content)) => Cow::Owned(format!("{summary}\n{content}")),
        (Some(text), None) | (None, Some(text)) => Cow::Borrowed(text.as_str()),
        (None, None) => Cow::Borrowed(""),
    };
    let title = observation.title.as_deref().unwrap_or_default();
    // An address that several entries share still tells entries of the same words apart.
    let whole = || [title, &joined, &enclosures(&observation), &address.canonical].join("\n");
    let named = Some(address).filter(|address| address.names_one);
    let place = named.map(|it| format!("{}#{}", it.canonical, it.fragment.as_deref().unwrap_or_default()));

    let guid = observation.guid.as_ref().map(|guid| guid.value.as_str());
    let is_global =
        observation.guid.as_ref().is_some_and(|guid| is_global(&guid.value, guid.is_permalink)) && !guid_repeats;
    // The ladder of what a source calls an entry. A repeated guid counts together with what tells its bearers apart.
    let telling;
    let name: Vec<&str> = match (guid, &place) {
        (Some(guid), _) if is_global => vec!["global", guid],
        (Some(guid), _) if !guid_repeats => vec!["guid", scope.as_str(), guid],
        (Some(guid), Some(place)) => vec!["guid and address", scope.as_str(), guid, place],
        (Some(guid), None) => {
            telling = whole();
            vec!["guid and text", scope.as_str(), guid, &telling]
        }
        (None, Some(place)) => vec!["address", scope.as_str(), place],
        (None, None) => {
            telling = whole();
            vec!["text", scope.as_str(), &telling]
        }
    };
    let home = if is_global { authority(guid.unwrap_or_default()) } else { Cow::Borrowed(scope.as_str()) };
    let own = own_key(&home, &name);
    let url = named.and(observation.address()).map(|url| url_key(url, &address.canonical));

    let mut ids = Vec::with_capacity(3);
    if is_global {
        ids.push(public_id(&name));
    }
    if let Some(it) = named {
        ids.push(public_id(&["url", &it.canonical]));
    }
    let alone: Vec<&str> = ["alone", scope.as_str()].into_iter().chain(name.iter().copied()).collect();
    ids.push(public_id(&alone));

    let reading = reading(&observation, &joined);
    let fingerprint = fingerprint(&observation, &reading, &address.canonical);
    let text = [summary, content].into_iter().flatten().max_by_key(String::len).unwrap_or_default();
    Identified {
        content: content_hash(&text).map(|hash| Key { kind: KeyKind::Content, hash }),
        title: None,
        digest: digest(&own, &observation),
        sketch: None,
        fingerprint,
        reading,
        own,
        url,
        is_global,
        ids,
        text,
        observation,
    }
}

/// The key of whatever is at an address, if the address names it.
pub fn address_key(url: &Url) -> Key {
    url_key(url, &canonical::canonical(url))
}

fn url_key(url: &Url, canonical: &str) -> Key {
    let site = canonical::site_host(url).unwrap_or_default();
    Key { kind: KeyKind::Url, hash: near(site, hash(&["url", canonical])) }
}

/// The key of whatever has a title of these folded words.
pub fn title_key(folded: &str) -> Key {
    Key { kind: KeyKind::Title, hash: hash(&["title", folded]) }
}

fn own_key(home: &str, name: &[&str]) -> Key {
    Key { kind: KeyKind::Guid, hash: near(home, hash(name)) }
}

/// A hash that sorts beside those of the same home: a document's keys lie together on the disk, and writing or looking them up
/// touches a page or two. Twelve bytes tell the keys of one home apart.
fn near(home: &str, mut hash: [u8; 16]) -> [u8; 16] {
    let home = blake3::hash(home.as_bytes());
    hash[..4].copy_from_slice(&home.as_bytes()[..4]);
    hash
}

/// Who gave a global guid out: the host of an address, what stands before the name of a tag: (RFC 4151); a urn:uuid has nobody.
fn authority(guid: &str) -> Cow<'_, str> {
    if let Ok(url) = Url::parse(guid)
        && let Some(host) = canonical::site_host(&url)
    {
        return Cow::Owned(host.to_owned());
    }
    let tag = guid.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("tag:"));
    Cow::Borrowed(if tag { guid.split(':').nth(1).unwrap_or_default() } else { guid })
}

/// A guid counts across sources only where its form promises that nobody else uses it: tag: (RFC 4151), urn:uuid, or a permanent address.
fn is_global(guid: &str, is_permalink: Option<bool>) -> bool {
    let lower = guid.get(..9).unwrap_or(guid).to_ascii_lowercase();
    if lower.starts_with("tag:") || lower == "urn:uuid:" {
        return true;
    }
    let is_address = lower.starts_with("http:") || lower.starts_with("https:");
    is_address && is_permalink != Some(false) && Url::parse(guid).is_ok_and(|url| !canonical::is_front_page(&url))
}

fn enclosures(observation: &Observation) -> String {
    // Signed and counted download addresses change their query at every build.
    let places = observation
        .enclosures
        .iter()
        .map(|enclosure| enclosure.url.host_str().unwrap_or_default().to_owned() + enclosure.url.path());
    places.collect::<Vec<_>>().join("\n")
}

fn reading(observation: &Observation, texts: &str) -> [u8; 16] {
    let title = observation.title.as_deref().unwrap_or_default();
    if !texts.trim().is_empty() {
        return hash(&["reading", title, texts]);
    }
    // A picture without words.
    let fragments = [&observation.summary, &observation.content].into_iter().flatten();
    hash(&["reading", title, &pictures::pictures(fragments.map(|html| html.0.as_str()))])
}

fn fingerprint(observation: &Observation, reading: &[u8; 16], address: &str) -> [u8; 16] {
    let list = |items: Vec<&str>| items.join("\n");
    let particulars = told_of(&observation.particulars);
    let text = String::from_utf8_lossy(reading);
    let authors = list(observation.authors.iter().map(|person| person.name.as_str()).collect());
    let categories = list(observation.categories.iter().map(String::as_str).collect());
    let enclosures = enclosures(observation);
    let mut parts = vec![
        "fingerprint",
        &text,
        observation.guid.as_ref().map_or("", |guid| guid.value.as_str()),
        address,
        &authors,
        &categories,
        &enclosures,
        observation.language.as_deref().unwrap_or_default(),
        // A date that appears is kept; one that moves at every build is not news.
        if observation.published.is_some() { "dated" } else { "undated" },
    ];
    // Only where there is something, so that all others are what they were before these were kept.
    if !particulars.is_empty() {
        parts.push(&particulars);
    }
    hash(&parts)
}

/// What is kept of particulars, in words; empty when there are none. Queries of addresses change at every build, as those of enclosures do.
fn told_of(particulars: &Particulars) -> String {
    let Particulars { related, origin, duration, episode, season, is_explicit } = particulars;
    let place = |url: &Url| url.host_str().unwrap_or_default().to_owned() + url.path();
    let mut told: Vec<String> = related.iter().map(|it| format!("{} {}", it.kind.name(), place(&it.url))).collect();
    if let Some(origin) = origin {
        let address = origin.feed.as_ref().or(origin.url.as_ref()).map(place).unwrap_or_default();
        let words = [origin.title.as_deref().unwrap_or_default(), &address, origin.id.as_deref().unwrap_or_default()];
        told.push(format!("origin {}", words.join(" ")));
    }
    told.extend(duration.map(|duration| format!("duration {}", duration.as_secs())));
    told.extend(episode.map(|episode| format!("episode {episode}")));
    told.extend(season.map(|season| format!("season {season}")));
    told.extend(is_explicit.map(|is_explicit| format!("explicit {is_explicit}")));
    told.join("\n")
}

/// Every sighting has texts of its own, so that an edited one can be thrown away without asking who else holds it.
fn digest(own: &Key, observation: &Observation) -> Option<TextDigest> {
    if observation.summary.is_none() && observation.content.is_none() {
        return None;
    }
    let own = String::from_utf8_lossy(&own.hash);
    let hash = hash(&["text", &own, raw(observation.summary.as_ref()), raw(observation.content.as_ref())]);
    hash.first_chunk().copied().map(TextDigest)
}

fn raw(html: Option<&RawHtml>) -> &str {
    html.map_or("", |html| html.0.as_str())
}

/// The fingerprint of a text's words, whatever stands between them; `None` for short texts.
fn content_hash(shown: &str) -> Option<[u8; 16]> {
    let folded = text::fold(shown);
    let mut words = String::with_capacity(folded.len() + 8);
    words.push_str(ALGORITHM);
    let mut count = 0;
    for word in folded.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        words.push_str(word);
        words.push(' ');
        count += 1;
    }
    (count >= CONTENT_WORDS).then(|| cut(&blake3::hash(words.as_bytes())))
}

/// A hash over parts that cannot run into each other.
fn hash(parts: &[&str]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(ALGORITHM.as_bytes());
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    cut(&hasher.finalize())
}

fn cut(whole: &blake3::Hash) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&whole.as_bytes()[..16]);
    short
}

fn public_id(parts: &[&str]) -> PublicId {
    PublicId(uuid::Uuid::new_v5(&NAME_SPACE, parts.join("\u{1f}").as_bytes()).into_bytes())
}
