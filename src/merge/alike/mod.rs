//! Nearly the same text: which entries may be copies of one piece of writing, and whether they are.
//!
//! ```text
//! every entry of a document ─words→ runs ─frame→ own words ─index::Sketch→ Index::propose → compare (on the texts) → Likeness
//! ```

mod align;
pub mod compare;
pub mod frame;
pub mod index;
mod style;
pub mod words;

use crate::merge::alike::frame::Frame;
use crate::merge::alike::index::Sketch;
use crate::merge::alike::words::WordHash;
use crate::merge::identify::Identified;
use crate::model::entry::Texts;
use crate::text;

/// Words of a text that are looked at: a whole book is not compared to its end.
const WORDS: usize = 4_000;

/// The text that is compared, line by line: the longer of summary and content, without what it quotes.
pub fn own_text(texts: &Texts) -> String {
    let lines = texts.parts().map(|html| html.map(text::own_lines).unwrap_or_default());
    let [summary, content] = lines;
    if summary.len() > content.len() { summary } else { content }
}

/// Sketches of what is new in a document, given everything in it: what several entries have in common is the source's frame.
/// Short texts have none.
pub fn sketches(all: &[Identified], is_new: &[bool]) -> Vec<Option<Sketch>> {
    if !is_new.contains(&true) {
        return vec![None; all.len()];
    }
    let texts: Vec<(Vec<WordHash>, usize)> = all.iter().map(words_of).collect();
    let mut frame = Frame::default();
    for (number, (words, run)) in (0..).zip(&texts) {
        frame.take(number, words::shingles(words, *run));
    }
    let sketch = |(words, run): &(Vec<WordHash>, usize)| {
        let own = frame.own(words.len(), *run, words::shingles(words, *run))?;
        let count: u32 = own.iter().map(|(from, to)| to - from).sum();
        if (count as usize) < compare::LEAST_WORDS {
            return None;
        }
        let parts = own.iter().map(|(from, to)| &words[*from as usize..*to as usize]);
        let runs: Vec<words::Shingle> = parts.flat_map(|part| words::shingles(part, *run)).collect();
        Some(Sketch::of(runs.into_iter(), own))
    };
    texts.iter().zip(is_new).map(|(text, is_new)| is_new.then(|| sketch(text)).flatten()).collect()
}

fn words_of(one: &Identified) -> (Vec<WordHash>, usize) {
    let texts = [&one.observation.summary, &one.observation.content];
    let quotes = texts.iter().any(|html| html.as_ref().is_some_and(|html| text::has_quotes(&html.0)));
    let own = if quotes { own_text(&one.texts()) } else { String::new() };
    let shown = if quotes { own.as_str() } else { one.text.as_str() };
    let mut words = words::hashes(&text::fold(shown));
    words.truncate(WORDS);
    (words, words::run_length(shown))
}
