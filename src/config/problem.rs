//! What is wrong with a configuration, where, and what to do.

use std::fmt;
use std::ops::Range;

/// One problem of `feeds.toml` or of the environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// From 1; 0 when the place is not in the file.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub what: String,
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(formatter, "line {}, column {}: ", self.line, self.column)?;
        }
        formatter.write_str(&self.what)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(formatter, " ({help})"))
    }
}

/// Where problems are collected while a text is read.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: Vec<Problem>,
    warnings: Vec<Problem>,
}

/// A place in the text, in bytes; an empty range at 0 stands for "not in the file".
pub(super) type Span = Range<usize>;

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new(), warnings: Vec::new() }
    }

    fn at(&self, span: &Span, what: impl Into<String>, help: Option<String>) -> Problem {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Problem {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            what: what.into(),
            help,
        }
    }

    pub(super) fn add(&mut self, span: &Span, what: impl Into<String>, help: Option<String>) {
        let problem = self.at(span, what, help);
        self.found.push(problem);
    }

    pub(super) fn add_outside(&mut self, what: impl Into<String>) {
        self.found.push(Problem { line: 0, column: 0, what: what.into(), help: None });
    }

    pub(super) fn warn(&mut self, span: &Span, what: impl Into<String>) {
        let problem = self.at(span, what, None);
        self.warnings.push(problem);
    }

    pub(super) fn warn_outside(&mut self, what: impl Into<String>) {
        self.warnings.push(Problem { line: 0, column: 0, what: what.into(), help: None });
    }

    /// The warnings, if there is no problem.
    pub(super) fn finish(mut self) -> Result<Vec<Problem>, Vec<Problem>> {
        self.found.sort();
        self.warnings.sort();
        if self.found.is_empty() { Ok(self.warnings) } else { Err(self.found) }
    }
}
