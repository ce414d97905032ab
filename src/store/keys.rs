//! What every kind of record is called on disk. A key once written will be read by every later version.
//!
//! The first byte is the kind; numbers are big-endian, so that keys sort as the numbers do.

use chrono::DateTime;

use crate::model::Timestamp;
use crate::model::entry::{Key, KeyKind, PublicId, Seq, TextName};
use crate::model::feed::FeedId;
use crate::model::source::{Scope, SourceKey, TopicKey};

pub const META: u8 = 0x01;
pub const ENTRY: u8 = 0x02;
// 0x03 is free: sightings live within their entry's record.
pub const TEXT: u8 = 0x04;
pub const KEY: u8 = 0x05;
pub const MEMBERSHIP: u8 = 0x06;
/// Time of coming, sighting → sketches of some sightings, for near-duplicates.
pub const SKETCH: u8 = 0x07;
pub const SOURCE: u8 = 0x08;
pub const LAST_DOCUMENT: u8 = 0x09;
/// Number → the entries that a batch changed.
pub const JOURNAL: u8 = 0x0a;
/// Feed, epoch, number → the places of an archive page (RFC 5005), or of what waits for one.
pub const ARCHIVE: u8 = 0x0b;
/// Scope, name → since when, and the id: what remains of a removed sighting.
pub const TOMBSTONE: u8 = 0x0c;
pub const ID: u8 = 0x0d;
pub const TOPIC: u8 = 0x0e;
pub const NAME: u8 = 0x0f;
/// Scope, entry → since when the source's document no longer shows its sighting.
pub const LEFT: u8 = 0x10;
/// The same in the order of time: what left by source, and tombstones of all sources.
pub const FADING: u8 = 0x11;
/// Sighting → the text of its page.
pub const PAGE: u8 = 0x12;
/// Scope, since when, entry → nothing: what is held back of a source, in the order of time.
pub const HELD: u8 = 0x13;

/// Topic and callback → a subscription at our hub.
pub const SUBSCRIPTION: u8 = 0x14;

/// Up to which record of the journal every subscriber was told, or is known to be behind.
pub const HUB: &[u8] = b"\x15hub";
/// Where the store's counters lie.
pub const COUNTERS: &[u8] = b"\x01counters";
/// The rules over merging that stored entries follow.
pub const RULES: &[u8] = b"\x01rules";
/// The engine's own format number.
pub const FORMAT: &[u8] = b"\x01format";
/// There while an import is under way: the store is incomplete.
pub const IMPORTING: &[u8] = b"\x01importing";
/// Tells this copy of the store from every other, for what is derived from it and kept beside it.
pub const MARK: &[u8] = b"\x01mark";
/// There once every place of the store is in an archive page or waits for one: earlier versions made none.
pub const ARCHIVED: &[u8] = b"\x01archived";
/// Size on disk after the last compaction, as eight bytes.
pub const COMPACTED: &[u8] = b"\x01compacted";

fn joined(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![kind];
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

pub fn journal(number: u64) -> Vec<u8> {
    joined(JOURNAL, &[&number.to_be_bytes()])
}

/// The number that [`journal`] wrote.
pub fn journal_number(key: &[u8]) -> Option<u64> {
    key.strip_prefix(&[JOURNAL])?.try_into().ok().map(u64::from_be_bytes)
}

pub fn subscription(name: [u8; 16]) -> Vec<u8> {
    joined(SUBSCRIPTION, &[&name])
}

pub fn entry(seq: Seq) -> Vec<u8> {
    joined(ENTRY, &[&seq.0.to_be_bytes()])
}

pub fn text(hash: TextName) -> Vec<u8> {
    joined(TEXT, &[&hash.0])
}

/// Sightings have numbers of their own, which are never given twice.
pub fn page(sighting: Seq) -> Vec<u8> {
    joined(PAGE, &[&sighting.0.to_be_bytes()])
}

pub fn id(id: PublicId) -> Vec<u8> {
    joined(ID, &[&id.0])
}

pub fn source(scope: &Scope) -> Vec<u8> {
    joined(SOURCE, &[scope.as_str().as_bytes()])
}

pub fn last_document(scope: &Scope) -> Vec<u8> {
    joined(LAST_DOCUMENT, &[scope.as_str().as_bytes()])
}

pub fn name(key: &SourceKey) -> Vec<u8> {
    joined(NAME, &[key.as_str().as_bytes()])
}

pub fn topic(key: &TopicKey) -> Vec<u8> {
    joined(TOPIC, &[key.as_str().as_bytes()])
}

pub(in crate::store) fn kind_byte(kind: KeyKind) -> u8 {
    match kind {
        KeyKind::Guid => 1,
        KeyKind::Url => 2,
        KeyKind::Content => 3,
        KeyKind::Title => 4,
    }
}

/// Several entries may share a key, so the entry is part of the name.
pub fn key(key: Key, seq: Seq) -> Vec<u8> {
    joined(KEY, &[&[kind_byte(key.kind)], &key.hash, &seq.0.to_be_bytes()])
}

/// From and to (exclusive) of all entries that share a key.
pub fn key_range(key: Key) -> (Vec<u8>, Vec<u8>) {
    let from = joined(KEY, &[&[kind_byte(key.kind)], &key.hash]);
    let to = joined(KEY, &[&[kind_byte(key.kind)], &key.hash, &[0xff; 9]]);
    (from, to)
}

/// A place in a feed's own order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub sort_at: Timestamp,
    pub seq: Seq,
}

fn feed_prefix(kind: u8, feed: &FeedId, epoch: u32) -> Vec<u8> {
    let (tag, name) = match feed {
        FeedId::All => (1, ""),
        FeedId::Source(scope) => (2, scope.as_str()),
        FeedId::Topic(key) => (3, key.as_str()),
    };
    joined(kind, &[&[tag], name.as_bytes(), &[0], &epoch.to_be_bytes()])
}

/// Moves the sign so that instants before 1970 sort before those after it.
pub fn ordered(at: Timestamp) -> [u8; 8] {
    (at.timestamp_millis().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

pub fn membership(feed: &FeedId, epoch: u32, place: Place) -> Vec<u8> {
    let mut key = feed_prefix(MEMBERSHIP, feed, epoch);
    key.extend_from_slice(&ordered(place.sort_at));
    key.extend_from_slice(&place.seq.0.to_be_bytes());
    key
}

/// From and to (exclusive) of a feed's places, up to but without `before`.
pub fn membership_range(feed: &FeedId, epoch: u32, before: Option<Place>) -> (Vec<u8>, Vec<u8>) {
    let from = feed_prefix(MEMBERSHIP, feed, epoch);
    let to = before.map_or_else(
        || {
            let mut end = from.clone();
            end.extend_from_slice(&[0xff; 17]);
            end
        },
        |place| membership(feed, epoch, place),
    );
    (from, to)
}

/// The feed and the epoch of a membership's key.
pub fn membership_feed(key: &[u8]) -> Option<(FeedId, u32)> {
    let (head, _) = key.strip_prefix(&[MEMBERSHIP])?.split_last_chunk::<16>()?;
    let (head, epoch) = head.split_last_chunk::<4>()?;
    let (tag, name) = head.strip_suffix(&[0])?.split_first()?;
    let name = std::str::from_utf8(name).ok()?;
    let feed = match tag {
        1 => FeedId::All,
        2 => FeedId::Source(Scope(name.into())),
        3 => FeedId::Topic(TopicKey::new(name).ok()?),
        _ => return None,
    };
    Some((feed, u32::from_be_bytes(*epoch)))
}

/// What an archive's record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archived {
    /// A page that is closed, by its number, from 1.
    Page = 1,
    /// A part of what no closed page holds, in the order of joining.
    Part = 2,
    /// A place that has left the feed although a page lists it.
    Parted = 3,
}

/// An archive page, or a part of what waits for one.
pub fn archive(feed: &FeedId, epoch: u32, kind: Archived, number: u64) -> Vec<u8> {
    [&feed_prefix(ARCHIVE, feed, epoch), &[kind as u8][..], &number.to_be_bytes()].concat()
}

/// A place that has left the feed although a page lists it.
pub fn archive_parted(feed: &FeedId, epoch: u32, place: Place) -> Vec<u8> {
    let prefix = feed_prefix(ARCHIVE, feed, epoch);
    [&prefix, &[Archived::Parted as u8][..], &ordered(place.sort_at), &place.seq.0.to_be_bytes()].concat()
}

/// From and to (exclusive) of the records of one kind of a feed's archive, up to but without a number.
pub fn archive_range(feed: &FeedId, epoch: u32, kind: Archived, before: Option<u64>) -> (Vec<u8>, Vec<u8>) {
    let prefix = feed_prefix(ARCHIVE, feed, epoch);
    let bound = |kind: u8| [&prefix[..], &[kind]].concat();
    let to = before.map_or_else(|| bound(kind as u8 + 1), |number| archive(feed, epoch, kind, number));
    (bound(kind as u8), to)
}

/// From and to (exclusive) of everything of a feed's archive.
pub fn archive_whole(feed: &FeedId, epoch: u32) -> (Vec<u8>, Vec<u8>) {
    let prefix = feed_prefix(ARCHIVE, feed, epoch);
    let to = [&prefix[..], &[u8::MAX]].concat();
    (prefix, to)
}

/// The number that [`archive`] wrote.
pub fn archive_number(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

/// The place that a membership's key names; `None` for a key that is none.
pub fn place(key: &[u8]) -> Option<Place> {
    let (rest, seq) = key.split_last_chunk::<8>()?;
    let (_, at) = rest.split_last_chunk::<8>()?;
    let millis = (u64::from_be_bytes(*at) ^ (1 << 63)).cast_signed();
    Some(Place { sort_at: DateTime::from_timestamp_millis(millis)?, seq: Seq(u64::from_be_bytes(*seq)) })
}

/// The entry that a key's record names.
pub fn seq(key: &[u8]) -> Option<Seq> {
    key.last_chunk::<8>().map(|bytes| Seq(u64::from_be_bytes(*bytes)))
}

/// The instant that [`ordered`] wrote.
pub fn instant(bytes: &[u8]) -> Option<Timestamp> {
    let millis = (u64::from_be_bytes(bytes.try_into().ok()?) ^ (1 << 63)).cast_signed();
    DateTime::from_timestamp_millis(millis)
}

pub fn sketch(at: Timestamp, first: Seq) -> Vec<u8> {
    joined(SKETCH, &[&ordered(at), &first.0.to_be_bytes()])
}

/// The first key of sketches that came at a time or later.
pub fn sketches_from(at: Timestamp) -> Vec<u8> {
    joined(SKETCH, &[&ordered(at)])
}

pub fn left(scope: &Scope, seq: Seq) -> Vec<u8> {
    joined(LEFT, &[scope.as_str().as_bytes(), &[0], &seq.0.to_be_bytes()])
}

/// Tags within [`FADING`].
const LEAVING_TAG: u8 = 1;
const TOMBSTONE_TAG: u8 = 2;

fn leaving_prefix(scope: &Scope) -> Vec<u8> {
    joined(FADING, &[&[LEAVING_TAG], scope.as_str().as_bytes(), &[0]])
}

/// Ends as a membership's key does, so that [`place`] reads it.
pub fn leaving(scope: &Scope, at: Timestamp, seq: Seq) -> Vec<u8> {
    [&leaving_prefix(scope), &ordered(at)[..], &seq.0.to_be_bytes()].concat()
}

/// From and to (exclusive) of what left a source before a time.
pub fn leaving_range(scope: &Scope, before: Timestamp) -> (Vec<u8>, Vec<u8>) {
    let from = leaving_prefix(scope);
    let to = [&from[..], &ordered(before)].concat();
    (from, to)
}

pub fn tombstone(scope: &Scope, name: [u8; 16]) -> Vec<u8> {
    joined(TOMBSTONE, &[scope.as_str().as_bytes(), &[0], &name])
}

/// From and to (exclusive) of a source's tombstones.
pub fn tombstone_range(scope: &Scope) -> (Vec<u8>, Vec<u8>) {
    let bound = |end: u8| joined(TOMBSTONE, &[scope.as_str().as_bytes(), &[end]]);
    (bound(0), bound(1))
}

pub fn fading(since: Timestamp, scope: &Scope, name: [u8; 16]) -> Vec<u8> {
    joined(FADING, &[&[TOMBSTONE_TAG], &ordered(since), scope.as_str().as_bytes(), &[0], &name])
}

/// From and to (exclusive) of the tombstones from before a time.
pub fn fading_range(before: Timestamp) -> (Vec<u8>, Vec<u8>) {
    (joined(FADING, &[&[TOMBSTONE_TAG]]), joined(FADING, &[&[TOMBSTONE_TAG], &ordered(before)]))
}

/// What [`fading`] joined.
pub fn fading_parts(key: &[u8]) -> Option<(Timestamp, Scope, [u8; 16])> {
    let (head, name) = key.split_last_chunk::<16>()?;
    let (at, scope) = head.strip_prefix(&[FADING, TOMBSTONE_TAG])?.split_first_chunk::<8>()?;
    let scope = std::str::from_utf8(scope.strip_suffix(&[0])?).ok()?;
    Some((instant(at)?, Scope(scope.into()), *name))
}

/// What [`left`] joined, or [`tombstone`]: the scope and the rest of a fixed length.
pub fn scoped<const N: usize>(key: &[u8]) -> Option<(Scope, [u8; N])> {
    let (head, rest) = key.get(1..)?.split_last_chunk::<N>()?;
    Some((Scope(std::str::from_utf8(head.strip_suffix(&[0])?).ok()?.into()), *rest))
}

/// What [`leaving`] joined.
pub fn leaving_parts(key: &[u8]) -> Option<(Scope, Place)> {
    let place = place(key)?;
    let scope = key.strip_prefix(&[FADING, LEAVING_TAG])?;
    let scope = scope.get(..scope.len().checked_sub(16)?)?.strip_suffix(&[0])?;
    Some((Scope(std::str::from_utf8(scope).ok()?.into()), place))
}

fn held_prefix(scope: &Scope) -> Vec<u8> {
    joined(HELD, &[scope.as_str().as_bytes(), &[0]])
}

/// Ends as a membership's key does, so that [`place`] reads it.
pub fn held(scope: &Scope, since: Timestamp, seq: Seq) -> Vec<u8> {
    [&held_prefix(scope), &ordered(since)[..], &seq.0.to_be_bytes()].concat()
}

/// From and to (exclusive) of what is held back of a source.
pub fn held_range(scope: &Scope) -> (Vec<u8>, Vec<u8>) {
    let from = held_prefix(scope);
    let to = [&from[..], &[0xff; 17]].concat();
    (from, to)
}

/// What [`held`] joined.
pub fn held_parts(key: &[u8]) -> Option<(Scope, Place)> {
    let place = place(key)?;
    let scope = key.strip_prefix(&[HELD])?;
    let scope = scope.get(..scope.len().checked_sub(16)?)?.strip_suffix(&[0])?;
    Some((Scope(std::str::from_utf8(scope).ok()?.into()), place))
}
