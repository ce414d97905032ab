//! The text of an entry in the making: paragraphs, what editors do to them, and the HTML that becomes of them.

use super::set::{Change, Edit, Frame, Markup, Truncate};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Paragraph {
    pub(super) words: String,
    pub(super) is_quoted: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Text {
    pub(super) paragraphs: Vec<Paragraph>,
    pub(super) markup: Markup,
    pub(super) is_summary: bool,
}

fn paragraph(words: &str) -> Paragraph {
    Paragraph { words: words.to_owned(), is_quoted: false }
}

impl Text {
    pub(super) fn new<S: AsRef<str>>(paragraphs: &[S]) -> Self {
        Self { paragraphs: paragraphs.iter().map(|words| paragraph(words.as_ref())).collect(), ..Self::default() }
    }

    /// Applies one edit.
    ///
    /// # Errors
    /// When it names a paragraph, a sentence or words that are not there, or would change nothing.
    pub(super) fn apply(&mut self, edit: &Edit) -> Result<(), String> {
        match edit {
            Edit::Truncate(edit) => self.truncate(edit),
            Edit::Other(change) => self.change(change),
        }
    }

    fn change(&mut self, change: &Change) -> Result<(), String> {
        match change {
            Change::Lead(words) => self.paragraphs.insert(0, paragraph(words)),
            Change::Footer(words) => self.paragraphs.push(paragraph(words)),
            Change::Drop(numbers) => self.retain(numbers, false)?,
            Change::Keep(numbers) => self.retain(numbers, true)?,
            Change::KeepSentences(numbers) => {
                let whole = self.whole();
                let all = sentences(&whole);
                are_there(numbers, all.len(), "sentence")?;
                let kept = all.iter().enumerate().filter(|(number, _)| numbers.contains(number));
                self.paragraphs = vec![paragraph(&kept.map(|(_, sentence)| *sentence).collect::<Vec<_>>().join(" "))];
            }
            Change::Insert(number, words) => {
                // Behind the last one is a place, too.
                are_there(&[*number], self.paragraphs.len() + 1, "paragraph")?;
                self.paragraphs.insert(*number, paragraph(words));
            }
            Change::Order(numbers) => {
                are_there(numbers, self.paragraphs.len(), "paragraph")?;
                let rest = (0..self.paragraphs.len()).filter(|number| !numbers.contains(number));
                let order = numbers.iter().copied().chain(rest);
                self.paragraphs = order.map(|number| self.paragraphs[number].clone()).collect();
            }
            Change::Replace(pairs) => {
                for (old, new) in pairs {
                    self.replace(old, new)?;
                }
            }
            Change::Quote(numbers) => {
                are_there(numbers, self.paragraphs.len(), "paragraph")?;
                for number in numbers {
                    self.paragraphs[*number].is_quoted = true;
                }
            }
            Change::Markup(markup) => self.markup = *markup,
            Change::Summary(is_summary) => self.is_summary = *is_summary,
        }
        Ok(())
    }

    fn whole(&self) -> String {
        self.paragraphs.iter().map(|it| it.words.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn retain(&mut self, numbers: &[usize], is_kept: bool) -> Result<(), String> {
        are_there(numbers, self.paragraphs.len(), "paragraph")?;
        let mut at = 0..;
        self.paragraphs.retain(|_| at.next().is_some_and(|number| numbers.contains(&number)) == is_kept);
        Ok(())
    }

    fn replace(&mut self, old: &str, new: &str) -> Result<(), String> {
        let mut occurs = false;
        for it in self.paragraphs.iter_mut().filter(|it| it.words.contains(old)) {
            it.words = it.words.replace(old, new);
            occurs = true;
        }
        if occurs { Ok(()) } else { Err(format!("`{old}` does not occur")) }
    }

    fn truncate(&mut self, edit: &Truncate) -> Result<(), String> {
        let whole = self.whole();
        let words: Vec<&str> = whole.split_whitespace().collect();
        if words.len() <= edit.truncate {
            return Err(format!("there are only {} words to cut after {}", words.len(), edit.truncate));
        }
        let ending = edit.ending.as_deref().unwrap_or("…");
        self.paragraphs = vec![paragraph(&(words[..edit.truncate].join(" ") + ending))];
        Ok(())
    }

    /// With what its source puts around every entry.
    pub(super) fn framed(mut self, frame: &Frame) -> Self {
        self.paragraphs.splice(0..0, frame.lead.iter().map(|words| paragraph(words)));
        self.paragraphs.extend(frame.footer.iter().map(|words| paragraph(words)));
        self
    }

    pub(super) fn html(&self) -> String {
        let shown = self.paragraphs.iter().enumerate().map(|(number, it)| {
            let words = match self.markup {
                Markup::Rich => decorated(number, &escaped(&it.words)),
                _ => escaped(&it.words),
            };
            let html = match self.markup {
                Markup::Paragraphs => format!("<p>{words}</p>"),
                Markup::Divs => format!("<div>{words}</div>"),
                Markup::Rich => format!("<p class=\"story-text story-text--{number}\">{words}</p>"),
                Markup::Breaks | Markup::Plain => words,
            };
            if it.is_quoted { format!("<blockquote>{html}</blockquote>") } else { html }
        });
        let between = match self.markup {
            Markup::Breaks => "<br><br>",
            Markup::Plain => " ",
            _ => "\n",
        };
        shown.collect::<Vec<_>>().join(between)
    }
}

fn are_there(numbers: &[usize], count: usize, of: &str) -> Result<(), String> {
    match numbers.iter().find(|number| **number >= count) {
        Some(number) => Err(format!("there is no {of} {number} among {count}")),
        None => Ok(()),
    }
}

/// A sentence ends behind `.` and its kin before white space, and behind those that need none after them.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((_, letter)) = letters.next() {
        if !".!?…。！？।".contains(letter) {
            continue;
        }
        while letters.next_if(|(_, next)| ".!?…。！？\"'”’»)」』".contains(*next)).is_some() {}
        let next = letters.peek().copied();
        if "。！？".contains(letter) || next.is_none_or(|(_, next)| next.is_whitespace()) {
            let end = next.map_or(text.len(), |(at, _)| at);
            found.push(text[start..end].trim());
            start = end;
        }
    }
    found.push(text[start..].trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What a publishing system adds to a paragraph that nobody reads: links, emphasis, a picture.
fn decorated(number: usize, html: &str) -> String {
    let mut words: Vec<String> = html.split(' ').map(str::to_owned).collect();
    if let Some(word) = words.get_mut(2) {
        *word = format!("<em>{word}</em>");
    }
    if let Some([first, .., last]) = words.get_mut(4..6) {
        *first = format!("<a class=\"topic\" href=\"https://topics.example/{number}?from=story\" title=\"\">{first}");
        *last = format!("{last}</a>");
    }
    if let Some(word) = words.get_mut(8) {
        *word = format!("<span class=\"mark\"><strong>{word}</strong></span>");
    }
    let picture = format!("<img class=\"wide\" src=\"https://pictures.example/{number}.jpg\" alt=\"\">");
    words.join(" ") + if number.is_multiple_of(2) { &picture } else { "" }
}
