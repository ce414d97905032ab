//! Values inside a line: times as RFC 3339, ids as `urn:uuid`, hashes as hexadecimal digits.

use chrono::{DateTime, Datelike as _, SecondsFormat};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::model::Timestamp;
use crate::model::entry::PublicId;

/// An instant. Written as RFC 3339 wherever that can say it, else as milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Millis(i64);

impl Millis {
    pub(super) fn of(at: Timestamp) -> Self {
        Self(at.timestamp_millis())
    }

    pub(super) fn instant(self) -> Result<Timestamp, String> {
        DateTime::from_timestamp_millis(self.0).ok_or_else(|| format!("{} is no time", self.0))
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match DateTime::from_timestamp_millis(self.0).filter(|at| (0..10_000).contains(&at.year())) {
            Some(at) => serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => serializer.serialize_i64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Number(i64),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(millis) => Ok(Self(millis)),
            Written::Text(text) => match DateTime::parse_from_rfc3339(&text) {
                Ok(at) => Ok(Self(at.timestamp_millis())),
                Err(error) => Err(D::Error::custom(format!("`{text}` is no time of RFC 3339 ({error})"))),
            },
        }
    }
}

/// A public id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(pub(super) [u8; 16]);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&PublicId(self.0))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = uuid::Uuid::parse_str(&text);
        read.map(|id| Self(id.into_bytes())).map_err(|error| D::Error::custom(format!("`{text}` is no id ({error})")))
    }
}

/// A hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(pub(super) [u8; 16]);

impl Hash {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        unhex(text)?.try_into().map(Self).map_err(|_| format!("`{text}` is no hash of 32 digits"))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Bytes that are usually text (validators): a string, or `{"hex": "…"}` where they are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenBytes {
    Text(String),
    Hex { hex: String },
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match String::from_utf8(self.0.clone()) {
            Ok(text) => WrittenBytes::Text(text),
            Err(_) => WrittenBytes::Hex { hex: hex(&self.0) },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match WrittenBytes::deserialize(deserializer)? {
            WrittenBytes::Text(text) => Ok(Self(text.into_bytes())),
            WrittenBytes::Hex { hex } => unhex(&hex).map(Self).map_err(D::Error::custom),
        }
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

pub(super) fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("`{text}` are no hexadecimal digits");
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(wrong());
    }
    let byte = |pair: &[u8; 2]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    pairs.iter().map(byte).collect::<Option<_>>().ok_or_else(wrong)
}
