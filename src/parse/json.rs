//! JSON Feed 1.0 and 1.1, field by field: what has the wrong type is skipped alone.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use url::Url;

use crate::model::document::{
    About, Dialect, Enclosure, Guid, Header, Observation, Parsed, Particulars, Person, RawHtml, Related, RelatedKind,
};
use crate::parse::border::{as_html, web_address};
use crate::parse::{NotAFeed, dates};
use crate::text;

pub(super) fn read(text: &str, base: Option<&Url>) -> Result<Parsed, NotAFeed> {
    let left = Cell::new(VALUES);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Bounded { left: &left }
        .deserialize(&mut reader)
        .map_err(|error| NotAFeed::new(format!("the JSON is broken: {error}")))?;
    let feed = value.as_object().ok_or_else(|| NotAFeed::new("this JSON is not a JSON Feed"))?;
    let is_feed = string(feed, "version").is_some_and(|version| version.contains("jsonfeed.org/version/"));
    if !is_feed {
        return Err(NotAFeed::new("this JSON is not a JSON Feed (no `version` of jsonfeed.org)"));
    }
    let items = list(feed, "items");
    let header = Header {
        title: string(feed, "title").map(|title| text::visible_title(&title)).filter(|title| !title.is_empty()),
        url: address(feed, "home_page_url", base),
        about: about(feed, base),
        self_address: address(feed, "feed_url", base),
        hubs: hubs(feed, base),
        older: address(feed, "next_url", base),
        ..Header::default()
    };
    let authors = people(feed);
    let mut notes = Vec::new();
    if left.get() == 0 {
        notes.push(format!("of this JSON only the first {VALUES} values were read"));
    }
    let mut observations = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match item.as_object() {
            Some(item) => observations.push(observation(item, base, &authors)),
            None => notes.push(format!("item {} is no object and was skipped", index + 1)),
        }
    }
    Ok(Parsed { dialect: Dialect::JsonFeed, header, observations, notes, is_complete: true })
}

fn about(feed: &Map<String, Value>, base: Option<&Url>) -> About {
    let described = string(feed, "description").map(|text| text::visible_title(&text));
    About {
        description: described.filter(|text| !text.is_empty()),
        language: string(feed, "language"),
        image: address(feed, "icon", base).or_else(|| address(feed, "favicon", base)),
        authors: people(feed),
        ..About::default()
    }
}

fn observation(item: &Map<String, Value>, base: Option<&Url>, fallback: &[Person]) -> Observation {
    // JSON Feed 1.1: an id that is a number is to be read as text.
    let id = string(item, "id").or_else(|| item.get("id").filter(|id| id.is_number()).map(ToString::to_string));
    let guid =
        id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).map(|value| Guid { value, is_permalink: None });
    let by_guid = guid.as_ref().and_then(|guid| web_address(&guid.value, None));
    let html = string(item, "content_html").map(RawHtml);
    let content =
        html.or_else(|| string(item, "content_text").map(|text| RawHtml(as_html(&text.replace('&', "&amp;")))));
    let summary = string(item, "summary").map(|text| RawHtml(as_html(&text.replace('&', "&amp;"))));
    let date = |key| string(item, key).as_deref().and_then(dates::read_date);
    let authors = people(item);
    let attachments = list(item, "attachments");
    let (summary, content) = if content.is_none() { (None, summary) } else { (summary, content) };
    Observation {
        url: address(item, "url", base).or_else(|| address(item, "external_url", base)).or(by_guid),
        title: string(item, "title").map(|title| text::visible_title(&title)).filter(|title| !title.is_empty()),
        published: date("date_published"),
        updated: date("date_modified"),
        authors: if authors.is_empty() { fallback.to_vec() } else { authors },
        categories: list(item, "tags").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        enclosures: attachments.iter().filter_map(|it| enclosure(it.as_object()?, base)).collect(),
        particulars: Particulars {
            related: related(item, base),
            duration: attachments.iter().find_map(|it| seconds(it.get("duration_in_seconds")?)),
            ..Particulars::default()
        },
        language: string(item, "language"),
        guid,
        summary,
        content,
        ..Observation::default()
    }
}

/// `image`, else `banner_image`; and `external_url` beside an address of its own.
fn related(item: &Map<String, Value>, base: Option<&Url>) -> Vec<Related> {
    let image = address(item, "image", base).or_else(|| address(item, "banner_image", base));
    let subject = address(item, "url", base).and_then(|_| address(item, "external_url", base));
    let found = [(RelatedKind::Image, image), (RelatedKind::Subject, subject)];
    found.into_iter().filter_map(|(kind, url)| Some(Related { kind, url: url?, media_type: None })).collect()
}

fn seconds(value: &Value) -> Option<Duration> {
    Duration::try_from_secs_f64(value.as_f64()?.round()).ok().filter(|duration| !duration.is_zero())
}

fn hubs(feed: &Map<String, Value>, base: Option<&Url>) -> Vec<Url> {
    list(feed, "hubs").iter().filter_map(|hub| address(hub.as_object()?, "url", base)).take(5).collect()
}

/// Values of one document that are kept; the rest is passed over as it is read. The largest feeds have some 200,000.
const VALUES: usize = 400_000;

/// Reads a value as long as there is room.
#[derive(Clone, Copy)]
struct Bounded<'b> {
    left: &'b Cell<usize>,
}

impl Bounded<'_> {
    fn has_room(self) -> bool {
        let left = self.left.get().saturating_sub(1);
        self.left.set(left);
        left > 0
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value of JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while self.has_room() {
            match list.next_element_seed(self)? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while self.has_room() {
            match object.next_key::<String>()? {
                Some(key) => drop(values.insert(key, object.next_value_seed(self)?)),
                None => return Ok(Value::Object(values)),
            }
        }
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Object(values))
    }
}

fn string(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(str::to_owned).filter(|text| !text.trim().is_empty())
}

fn list<'v>(object: &'v Map<String, Value>, key: &str) -> &'v [Value] {
    object.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn address(object: &Map<String, Value>, key: &str, base: Option<&Url>) -> Option<Url> {
    string(object, key).and_then(|text| web_address(&text, base))
}

/// `authors` of version 1.1, else `author` of version 1.0.
fn people(object: &Map<String, Value>) -> Vec<Person> {
    let single = object.get("author").into_iter();
    let person = |person: &Value| {
        let person = person.as_object()?;
        Some(Person { name: string(person, "name")?, url: address(person, "url", None) })
    };
    let people: Vec<Person> = list(object, "authors").iter().filter_map(person).collect();
    if people.is_empty() { single.filter_map(person).collect() } else { people }
}

fn enclosure(attachment: &Map<String, Value>, base: Option<&Url>) -> Option<Enclosure> {
    let size = attachment.get("size_in_bytes");
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a size is positive and far below 2^53"
    )]
    let length = size
        .and_then(|size| size.as_u64().or_else(|| size.as_f64().filter(|size| *size > 0.0).map(|size| size as u64)));
    Some(Enclosure {
        url: address(attachment, "url", base)?,
        media_type: string(attachment, "mime_type"),
        length,
        title: string(attachment, "title"),
    })
}
