//! One document's observations → the keys by which each can be recognised.
//!
//! What counts as a key depends on the whole document: a guid or an address that several entries share names none of them.

use std::collections::HashMap;

use url::Url;

use crate::merge::canonical;
use crate::model::document::Observation;
use crate::model::entry::{Key, KeyKind, PublicId, TextHash, Texts};
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
    /// Names the raw fragments; `None` without any.
    pub text_hash: Option<TextHash>,
}

impl Identified {
    /// Its keys from the strongest to the weakest.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        [Some(self.own), self.url, self.content].into_iter().flatten()
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

    /// The raw fragments, to be stored under [`Identified::text_hash`].
    pub fn texts(&self) -> Texts {
        Texts { summary: self.observation.summary.clone(), content: self.observation.content.clone() }
    }
}

/// Recognises every observation of one document. Copies of the same observation within it are folded into the first.
///
/// `site` is the source's own page: an address equal to it is no key.
pub fn identify(scope: &Scope, site: Option<&Url>, observations: Vec<Observation>) -> Vec<Identified> {
    let site = site.map(canonical::canonical);
    let mut guids: HashMap<String, usize> = HashMap::new();
    let mut addresses: HashMap<String, usize> = HashMap::new();
    for observation in &observations {
        if let Some(guid) = &observation.guid {
            *guids.entry(guid.value.clone()).or_default() += 1;
        }
        if let Some(url) = &observation.url {
            *addresses.entry(canonical::canonical(url)).or_default() += 1;
        }
    }
    let mut met = std::collections::HashSet::new();
    observations
        .into_iter()
        .map(|observation| {
            let address = observation
                .url
                .as_ref()
                .filter(|url| !canonical::is_front_page(url))
                .map(|url| (canonical::canonical(url), url))
                .filter(|(address, _)| addresses.get(address) == Some(&1) && Some(address) != site.as_ref())
                .map(|(address, url)| Address {
                    fragment: canonical::telling_fragment(url).map(str::to_owned),
                    address,
                });
            let repeated = observation.guid.as_ref().is_some_and(|guid| guids.get(&guid.value) != Some(&1));
            one(scope, observation, address.as_ref(), repeated)
        })
        .filter(|seen| met.insert(seen.own))
        .collect()
}

/// An address that names one entry.
struct Address {
    address: String,
    fragment: Option<String>,
}

fn one(scope: &Scope, observation: Observation, address: Option<&Address>, guid_repeats: bool) -> Identified {
    let texts: Vec<String> =
        [&observation.summary, &observation.content].into_iter().flatten().map(|html| text::visible(&html.0)).collect();
    let shown = texts.iter().max_by_key(|text| text.len()).cloned().unwrap_or_default();
    // An address that several entries share still tells entries of the same words apart.
    let any_address = observation.url.as_ref().map(canonical::canonical).unwrap_or_default();
    let title = observation.title.as_deref().unwrap_or_default();
    let whole = [title, &texts.join("\n"), &enclosures(&observation), &any_address].join("\n");
    let place = address.map(|it| format!("{}#{}", it.address, it.fragment.as_deref().unwrap_or_default()));

    let guid = observation.guid.as_ref().map(|guid| guid.value.as_str());
    let is_global =
        observation.guid.as_ref().is_some_and(|guid| is_global(&guid.value, guid.is_permalink)) && !guid_repeats;
    // The ladder of what a source calls an entry. A repeated guid counts together with what tells its bearers apart.
    let name: Vec<&str> = match (guid, &place) {
        (Some(guid), _) if is_global => vec!["global", guid],
        (Some(guid), _) if !guid_repeats => vec!["guid", scope.as_str(), guid],
        (Some(guid), Some(place)) => vec!["guid and address", scope.as_str(), guid, place],
        (Some(guid), None) => vec!["guid and text", scope.as_str(), guid, &whole],
        (None, Some(place)) => vec!["address", scope.as_str(), place],
        (None, None) => vec!["text", scope.as_str(), &whole],
    };
    let own = Key { kind: KeyKind::Guid, hash: hash(&name) };
    let url = address.map(|it| Key { kind: KeyKind::Url, hash: hash(&["url", &it.address]) });
    let content = content_hash(&shown).map(|hash| Key { kind: KeyKind::Content, hash });

    let mut ids = Vec::with_capacity(3);
    if is_global {
        ids.push(public_id(&name));
    }
    if let Some(it) = address {
        ids.push(public_id(&["url", &it.address]));
    }
    let alone: Vec<&str> = ["alone", scope.as_str()].into_iter().chain(name.iter().copied()).collect();
    ids.push(public_id(&alone));

    Identified {
        fingerprint: fingerprint(&observation, &texts),
        reading: reading(&observation, &texts),
        text_hash: text_hash(&own, &observation),
        own,
        url,
        content,
        is_global,
        ids,
        text: shown,
        observation,
    }
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

fn reading(observation: &Observation, texts: &[String]) -> [u8; 16] {
    let title = observation.title.as_deref().unwrap_or_default();
    if texts.iter().any(|text| !text.is_empty()) {
        return hash(&["reading", title, &texts.join("\n")]);
    }
    // A picture without words: there is nothing but the markup to tell a change by.
    let markup: Vec<&str> =
        [&observation.summary, &observation.content].into_iter().flatten().map(|html| html.0.as_str()).collect();
    hash(&["reading", title, &markup.join("\n")])
}

fn fingerprint(observation: &Observation, texts: &[String]) -> [u8; 16] {
    let list = |items: Vec<&str>| items.join("\n");
    hash(&[
        "fingerprint",
        &String::from_utf8_lossy(&reading(observation, texts)),
        &observation.guid.as_ref().map_or_else(String::new, |guid| guid.value.clone()),
        &observation.url.as_ref().map_or_else(String::new, canonical::canonical),
        &list(observation.authors.iter().map(|person| person.name.as_str()).collect()),
        &list(observation.categories.iter().map(String::as_str).collect()),
        &enclosures(observation),
        observation.language.as_deref().unwrap_or_default(),
        // A date that appears is kept; one that moves at every build is not news.
        if observation.published.is_some() { "dated" } else { "undated" },
    ])
}

/// Every sighting has texts of its own, so that an edited one can be thrown away without asking who else holds it.
fn text_hash(own: &Key, observation: &Observation) -> Option<TextHash> {
    if observation.summary.is_none() && observation.content.is_none() {
        return None;
    }
    let part =
        |html: &Option<crate::model::document::RawHtml>| html.as_ref().map_or_else(String::new, |html| html.0.clone());
    let own = String::from_utf8_lossy(&own.hash);
    Some(TextHash(hash(&["text", &own, &part(&observation.summary), &part(&observation.content)])))
}

/// The fingerprint of a text's words, whatever stands between them; `None` for short texts.
fn content_hash(shown: &str) -> Option<[u8; 16]> {
    let folded = text::fold(shown);
    let mut hasher = blake3::Hasher::new();
    hasher.update(ALGORITHM.as_bytes());
    let mut count = 0;
    for word in folded.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        hasher.update(word.as_bytes());
        hasher.update(b" ");
        count += 1;
    }
    (count >= CONTENT_WORDS).then(|| cut(&hasher.finalize()))
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
