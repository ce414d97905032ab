//! The labelled set as it is written down: see tests/data/stories/README.md.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Two entries, and whether they are the same piece of writing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pair {
    pub(super) id: String,
    pub(super) class: String,
    /// Pairs of one family share a text, and lie in one half.
    pub(super) family: String,
    pub(super) language: String,
    pub(super) same: bool,
    pub(super) left: Doc,
    pub(super) right: Doc,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Doc {
    pub(super) source: String,
    pub(super) title: Option<String>,
    pub(super) published: Option<String>,
    pub(super) base: Base,
    #[serde(default)]
    pub(super) frame: Frame,
    #[serde(default)]
    pub(super) edits: Vec<Edit>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Base {
    /// A file of `texts`.
    Text {
        text: String,
    },
    /// An entry of a captured document, counted from 0.
    Fixture {
        fixture: String,
        entry: usize,
    },
    Paragraphs {
        paragraphs: Vec<String>,
    },
}

/// What a source puts around every entry.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Frame {
    pub(super) lead: Option<String>,
    pub(super) footer: Option<String>,
}

impl Frame {
    pub(super) fn is_empty(&self) -> bool {
        self.lead.is_none() && self.footer.is_none()
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Edit {
    Truncate(Truncate),
    Other(Change),
}

impl Edit {
    /// Whether a source does so with every entry.
    pub(super) fn is_habit(&self) -> bool {
        matches!(self, Self::Other(Change::Markup(_) | Change::Summary(_)))
    }
}

/// The first words, and what stands where the rest was.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Truncate {
    pub(super) truncate: usize,
    pub(super) ending: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    Lead(String),
    Footer(String),
    Drop(Vec<usize>),
    Keep(Vec<usize>),
    KeepSentences(Vec<usize>),
    Insert(usize, String),
    Order(Vec<usize>),
    Replace(Vec<(String, String)>),
    Quote(Vec<usize>),
    Markup(Markup),
    Summary(bool),
}

/// How paragraphs become HTML.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Markup {
    #[default]
    Paragraphs,
    Divs,
    Breaks,
    /// With links, emphasis, pictures and classes.
    Rich,
    /// One run of text without any tag.
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Half {
    Tuning,
    HeldBack,
}

impl Half {
    /// Which half a family lies in: nobody chooses.
    pub(super) fn of(family: &str) -> Self {
        let mut sum = flate2::Crc::new();
        sum.update(family.as_bytes());
        if sum.sum() % 2 == 1 { Self::HeldBack } else { Self::Tuning }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::HeldBack => "held-back",
        }
    }
}

/// Where the set lies: in the repository, or where `FEEDMILL_STORIES` says.
pub(super) fn folder() -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/stories");
    std::env::var_os("FEEDMILL_STORIES").map_or_else(own, PathBuf::from)
}

/// The pairs of one half, in the order of classes. Nothing when the half is not there.
///
/// # Errors
/// The file and the line that cannot be read.
pub(super) fn read(folder: &Path, half: Half) -> Result<Vec<Pair>, String> {
    let Ok(found) = fs::read_dir(folder.join(half.name())) else { return Ok(Vec::new()) };
    let mut files: Vec<PathBuf> = found.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut pairs = Vec::new();
    for file in files {
        let lines = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        for (number, line) in (1..).zip(lines.lines()) {
            let pair: Pair =
                serde_json::from_str(line).map_err(|error| format!("{}, line {number}: {error}", file.display()))?;
            if file.file_stem().is_none_or(|stem| stem != pair.class.as_str()) {
                return Err(format!("{}, line {number}: `{}` is of class {}", file.display(), pair.id, pair.class));
            }
            pairs.push(pair);
        }
    }
    Ok(pairs)
}
