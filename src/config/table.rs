//! Takes typed values out of a table one by one; what is left over is unknown.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::problem::{Problems, Span};
use crate::config::units;

/// A value with its place.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// A value that was read, with its place.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) span: Span,
    pub(super) value: T,
}

/// One table that is being read. Keys that were asked for and are not there are remembered as proposals.
pub(super) struct Reader<'t> {
    /// As it stands in the file: `[poll]`, `[sources.bbc-world]`.
    name: String,
    left: BTreeMap<String, (Span, Value<'t>)>,
    asked: Vec<&'static str>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(name: impl Into<String>, table: DeTable<'t>) -> Self {
        let left = table.into_iter().map(|(key, value)| (key.get_ref().to_string(), (key.span(), value))).collect();
        Self { name: name.into(), left, asked: Vec::new() }
    }

    pub(super) fn empty(name: impl Into<String>) -> Self {
        Self { name: name.into(), left: BTreeMap::new(), asked: Vec::new() }
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.asked.push(key);
        self.left.remove(key).map(|(_, value)| value)
    }

    /// All keys that are left, in the order of the text.
    pub(super) fn take_rest(&mut self) -> Vec<(At<String>, Value<'t>)> {
        let mut rest: Vec<_> = std::mem::take(&mut self.left)
            .into_iter()
            .map(|(key, (span, value))| (At { span, value: key }, value))
            .collect();
        rest.sort_by_key(|(key, _)| key.span.start);
        rest
    }

    pub(super) fn table(&mut self, key: &'static str, name: &str, problems: &mut Problems<'_>) -> Reader<'t> {
        match self.take(key) {
            None => Reader::empty(name),
            Some(value) => table(name, value, problems).unwrap_or_else(|| Reader::empty(name)),
        }
    }

    pub(super) fn text(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<At<String>> {
        let value = self.take(key)?;
        text(key, &value, problems)
    }

    pub(super) fn boolean(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<bool> {
        let value = self.take(key)?;
        let span = value.span();
        let found = value.get_ref().as_bool();
        if found.is_none() {
            expected(key, "true or false", &value, &span, None, problems);
        }
        found
    }

    /// A number from 0 to 1.
    pub(super) fn share(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<f32> {
        let value = self.take(key)?;
        let span = value.span();
        let written = match value.get_ref() {
            DeValue::Float(float) => float.as_str().parse::<f32>().ok(),
            DeValue::Integer(integer) => integer.as_str().parse::<f32>().ok(),
            _ => None,
        };
        let share = written.filter(|share| (0.0..=1.0).contains(share));
        if share.is_none() {
            problems.add(&span, format!("`{key}` must be a number from 0 to 1"), Some(format!("write {key} = 0.7")));
        }
        share
    }

    /// Whether nothing stands in it.
    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.left.contains_key(key)
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<i64>,
        problems: &mut Problems<'_>,
    ) -> Option<i64> {
        let value = self.take(key)?;
        let span = value.span();
        let Some(integer) = value.get_ref().as_integer() else {
            expected(key, "a whole number", &value, &span, None, problems);
            return None;
        };
        let number = i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok();
        let fits = number.filter(|number| bounds.contains(number));
        if fits.is_none() {
            problems.add(&span, format!("`{key}` must be from {} to {}", bounds.start(), bounds.end()), None);
        }
        fits
    }

    pub(super) fn duration(
        &mut self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<Duration>,
        problems: &mut Problems<'_>,
    ) -> Option<At<Duration>> {
        let value = self.take(key)?;
        let span = value.span();
        let Some(written) = value.get_ref().as_str() else {
            let help = value.get_ref().as_integer().map(|number| format!("write \"{}s\" or \"15m\"", number.as_str()));
            expected(key, "a duration such as \"15m\"", &value, &span, help, problems);
            return None;
        };
        let Some(duration) = units::duration(written) else {
            problems.add(
                &span,
                format!("`{written}` is no duration"),
                Some("write \"90s\", \"15m\", \"24h\", \"7d\" or \"2y\"".to_owned()),
            );
            return None;
        };
        if !bounds.contains(&duration) {
            let (least, most) = (units::spelt(*bounds.start()), units::spelt(*bounds.end()));
            problems.add(&span, format!("`{key}` must be from {least} to {most}"), None);
            return None;
        }
        Some(At { span, value: duration })
    }

    pub(super) fn size(
        &mut self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<u64>,
        problems: &mut Problems<'_>,
    ) -> Option<u64> {
        let At { span, value } = self.text(key, problems)?;
        let Some(size) = units::size(&value) else {
            problems.add(
                &span,
                format!("`{value}` is no size"),
                Some("write \"500kB\", \"20MB\" or \"1GB\"".to_owned()),
            );
            return None;
        };
        if !bounds.contains(&size) {
            let (least, most) = (bounds.start() / 1_000_000, bounds.end() / 1_000_000);
            problems.add(&span, format!("`{key}` must be from {least}MB to {most}MB"), None);
            return None;
        }
        Some(size)
    }

    pub(super) fn texts(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Vec<At<String>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            problems.add(&span, format!("`{key}` must be a list"), Some(format!("write {key} = [\"…\"]")));
            return Vec::new();
        };
        items.iter().filter_map(|item| text(key, item, problems)).collect()
    }

    /// Says which keys nobody asked for, with the nearest right name.
    pub(super) fn finish(self, problems: &mut Problems<'_>) {
        for (key, (span, _)) in &self.left {
            let help = nearest(key, self.asked.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let help = help.or_else(|| Some(format!("known here: {}", self.asked.join(", "))));
            problems.add(span, format!("{} has no key `{key}`", self.name), help);
        }
    }
}

pub(super) fn table<'t>(name: &str, value: Value<'t>, problems: &mut Problems<'_>) -> Option<Reader<'t>> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Table(table) => Some(Reader::new(name, table)),
        other => {
            problems.add(&span, format!("{name} must be a table, not {}", named(&other)), None);
            None
        }
    }
}

pub(super) fn text(key: &str, value: &Value<'_>, problems: &mut Problems<'_>) -> Option<At<String>> {
    let span = value.span();
    if let Some(text) = value.get_ref().as_str() {
        return Some(At { value: text.to_owned(), span });
    }
    expected(key, "a text in quotes", value, &span, None, problems);
    None
}

fn expected(key: &str, what: &str, value: &Value<'_>, span: &Span, help: Option<String>, problems: &mut Problems<'_>) {
    problems.add(span, format!("`{key}` must be {what}, not {}", named(value.get_ref())), help);
}

fn named(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// The known name that a misspelt one probably means.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let distance = |known: &str| strsim::damerau_levenshtein(known, &name.to_lowercase());
    known.filter(|known| distance(known) <= 1 + known.len() / 4).min_by_key(|known| distance(known))
}
