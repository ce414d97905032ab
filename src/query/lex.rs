//! Query text → tokens with their positions.

use crate::query::QueryProblem;

const FIELDS: &[&str] =
    &["title", "author", "category", "source", "topic", "lang", "url", "has", "after", "before", "newer", "regex"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// In characters, from 1.
    pub(super) position: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Close,
    Minus,
    Or,
    And,
    /// `field:` with its value, or a value alone.
    Term {
        field: Option<String>,
        value: Value,
    },
    /// `regex:/…/`: what stands between the slashes.
    Pattern {
        written: String,
        position: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) is_quoted: bool,
    /// `*` follows.
    pub(super) is_prefix: bool,
    pub(super) position: usize,
}

pub(super) fn problem(position: usize, what: impl Into<String>, help: Option<&str>) -> QueryProblem {
    QueryProblem { position, what: what.into(), help: help.map(str::to_owned) }
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, QueryProblem> {
    let mut lexer = Lexer { letters: text.chars().collect(), at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer {
    letters: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn token(&mut self) -> Result<Option<Token>, QueryProblem> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        let position = self.at + 1;
        let Some(first) = self.peek() else { return Ok(None) };
        let kind = match first {
            '(' => self.step(Kind::Open),
            ')' => self.step(Kind::Close),
            '-' => {
                self.at += 1;
                if self.peek().is_none_or(|next| next.is_whitespace() || next == ')') {
                    let help = "write -word without a blank, or quote it";
                    return Err(problem(position, "`-` stands alone", Some(help)));
                }
                Kind::Minus
            }
            quote if is_quote(quote) => Kind::Term { field: None, value: self.quoted()? },
            _ if self.is_next("regex:") => self.pattern()?,
            _ => self.word(position)?,
        };
        Ok(Some(Token { position, kind }))
    }

    fn step(&mut self, kind: Kind) -> Kind {
        self.at += 1;
        kind
    }

    /// A run without blanks, brackets and quotes, which may be an operator, a value, or `field:value`.
    fn word(&mut self, position: usize) -> Result<Kind, QueryProblem> {
        let run = self.run();
        match run.as_str() {
            "OR" => return Ok(Kind::Or),
            "AND" => return Ok(Kind::And),
            _ => {}
        }
        let Some((field, value)) = run.split_once(':') else {
            return Ok(Kind::Term { field: None, value: plain(&run, position) });
        };
        let after = position + field.chars().count() + 1;
        let value = match (value.is_empty(), self.peek()) {
            (true, _) if !FIELDS.contains(&field) => return Err(unknown(position, field)),
            (true, Some(quote)) if is_quote(quote) => self.quoted()?,
            (true, Some('(')) => {
                let what = format!("a bracket cannot follow `{field}:`");
                return Err(problem(after, what, Some(&format!("write ({field}:one OR {field}:other)"))));
            }
            (true, _) => {
                return Err(problem(
                    after,
                    format!("nothing follows `{field}:`"),
                    Some("put its value right behind it"),
                ));
            }
            (false, _) => plain(value, after),
        };
        Ok(Kind::Term { field: Some(field.to_owned()), value })
    }

    fn is_next(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, letter)| self.letters.get(self.at + index) == Some(&letter))
    }

    /// `regex:/…/`, within which brackets, quotes and blanks stand for themselves, and `\/` for a slash.
    fn pattern(&mut self) -> Result<Kind, QueryProblem> {
        self.at += "regex:".len();
        let position = self.at + 2;
        if self.peek() != Some('/') {
            let help = "write regex:/cve-\\d+/ beside another word";
            return Err(problem(self.at + 1, "a pattern stands between slashes", Some(help)));
        }
        self.at += 1;
        let mut written = String::new();
        loop {
            let Some(letter) = self.peek() else {
                return Err(problem(position - 1, "the pattern is not closed", Some("add a closing /")));
            };
            self.at += 1;
            if letter == '/' {
                break;
            }
            written.push(letter);
            if letter == '\\'
                && let Some(escaped) = self.peek()
            {
                written.push(escaped);
                self.at += 1;
            }
        }
        if self.peek().is_some_and(|next| !next.is_whitespace() && next != ')') {
            let help = "put a blank behind it; capitals and small letters are the same anyway";
            return Err(problem(self.at + 1, "something stands right behind the pattern", Some(help)));
        }
        Ok(Kind::Pattern { written, position })
    }

    fn run(&mut self) -> String {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|letter| !letter.is_whitespace() && !matches!(letter, '(' | ')') && !is_quote(letter))
        {
            self.at += 1;
        }
        self.letters[start..self.at].iter().collect()
    }

    fn quoted(&mut self) -> Result<Value, QueryProblem> {
        let position = self.at + 1;
        let start = self.at + 1;
        let Some(length) = self.letters[start..].iter().position(|letter| is_quote(*letter)) else {
            return Err(problem(position, "a quote is not closed", Some("add a closing \"")));
        };
        let text: String = self.letters[start..start + length].iter().collect();
        self.at = start + length + 1;
        let is_prefix = self.peek() == Some('*');
        if is_prefix {
            self.at += 1;
        }
        Ok(Value { text, is_quoted: true, is_prefix, position })
    }
}

/// Also as keyboards and word processors set them.
fn is_quote(letter: char) -> bool {
    matches!(letter, '"' | '“' | '”' | '„' | '‟' | '＂')
}

/// For a field that there is not, with the nearest one that there is.
pub(super) fn unknown(position: usize, field: &str) -> QueryProblem {
    let lower = field.to_lowercase();
    let near = FIELDS.iter().map(|known| (strsim::damerau_levenshtein(known, &lower), known));
    let near = near.filter(|(distance, known)| *distance <= 2 && *distance < known.len()).min();
    let help = near
        .map_or_else(|| "quote it to look for it as text".to_owned(), |(_, near)| format!("did you mean `{near}:`?"));
    problem(position, format!("there is no field `{field}:`"), Some(&help))
}

fn plain(run: &str, position: usize) -> Value {
    let stem = run.strip_suffix('*').filter(|stem| !stem.is_empty());
    Value { text: stem.unwrap_or(run).to_owned(), is_quoted: false, is_prefix: stem.is_some(), position }
}
