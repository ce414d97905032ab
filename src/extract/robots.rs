//! What a site's `robots.txt` asks of us (RFC 9309): the group for our name, its longest match, and a delay between requests.

use std::fmt::Write as _;
use std::time::Duration;

/// The name that groups are looked up by (RFC 9309 §2.2.1).
const NAME: &str = "feedmill";
/// Most of a file that is read, in bytes (§2.5), and most rules that are kept.
const LIMIT: usize = 500_000;
const RULES: usize = 2_000;
/// Longest delay that is obeyed. A longer one is a mistake, or means "do not come".
const LONGEST: Duration = Duration::from_secs(120);

/// The rules of one site for us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Robots {
    rules: Vec<Rule>,
    pub delay: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    is_allowed: bool,
    pattern: String,
}

impl Robots {
    /// A site that forbids everything: one whose file cannot be reached for now (§2.3.1.4).
    pub fn closed() -> Self {
        Self { rules: vec![Rule { is_allowed: false, pattern: "/".to_owned() }], delay: None }
    }

    /// Never fails: what is no rule is passed over (§2.2.4).
    pub fn read(file: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&file[..file.len().min(LIMIT)]);
        let (mut own, mut anyone) = (Self::default(), Self::default());
        let (mut is_ours, mut is_anyones, mut is_naming, mut has_own) = (false, false, false, false);
        for line in text.split(['\n', '\r']) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim_start_matches('\u{feff}').trim().to_ascii_lowercase(), value.trim());
            if key == "user-agent" {
                if !is_naming {
                    (is_ours, is_anyones) = (false, false);
                }
                is_naming = true;
                let end = value.find(|letter: char| !letter.is_ascii_alphabetic() && !"-_".contains(letter));
                is_anyones |= value == "*";
                is_ours |= value[..end.unwrap_or(value.len())].eq_ignore_ascii_case(NAME);
                has_own |= is_ours;
                continue;
            }
            let is_known = matches!(key.as_str(), "allow" | "disallow" | "crawl-delay");
            is_naming &= !is_known;
            for (group, is_in) in [(&mut own, is_ours), (&mut anyone, is_anyones)] {
                if is_in && is_known {
                    group.take(&key, value);
                }
            }
        }
        if has_own { own } else { anyone }
    }

    fn take(&mut self, key: &str, value: &str) {
        if key == "crawl-delay" {
            let seconds = value.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds > 0.0);
            let delay = seconds.map(|seconds| Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())));
            self.delay = self.delay.max(delay);
        } else if !value.is_empty() && self.rules.len() < RULES {
            self.rules.push(Rule { is_allowed: key == "allow", pattern: plain(value) });
        }
    }

    /// Whether a path with its query may be asked for: the longest rule that matches decides, of two equally long ones the one that
    /// allows (§2.2.2).
    pub fn allows(&self, path: &str) -> bool {
        let path = plain(path);
        if path == "/robots.txt" {
            return true;
        }
        let matching = self.rules.iter().filter(|rule| matches(&rule.pattern, &path));
        matching.max_by_key(|rule| (rule.pattern.len(), rule.is_allowed)).is_none_or(|rule| rule.is_allowed)
    }
}

/// Percent-encoding in one spelling, so that equal octets are equal text (§2.2.2).
fn plain(text: &str) -> String {
    let mut spelt = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let (byte, length, was_encoded) = match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => (u8::try_from(high * 16 + low).unwrap_or(b'%'), 3, true),
            (byte, ..) => (byte, 1, false),
        };
        let is_free = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if is_free || (!was_encoded && byte.is_ascii()) {
            spelt.push(char::from(byte));
        } else {
            // Writing into memory cannot fail.
            let _ = write!(spelt, "%{byte:02X}");
        }
        at += length;
    }
    spelt
}

/// `*` stands for anything, `$` at the end for the end (§2.2.3). Every part is found as early as can be, so nothing is tried twice.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, is_whole) = pattern.strip_suffix('$').map_or((pattern, false), |pattern| (pattern, true));
    let mut parts = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return !is_whole || rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    if is_whole { rest.ends_with(last) } else { rest.contains(last) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(file: &str, path: &str, expected: bool) {
        assert_eq!(Robots::read(file.as_bytes()).allows(path), expected, "{path} by {file}");
    }

    #[test]
    fn the_group_of_our_name_counts_alone_and_that_of_all_without_one() {
        let file = "User-agent: *\nDisallow: /\n\nUser-Agent: other\nUSER-AGENT: FeedMill/1.0\nDisallow: /private\n";
        check(file, "/news", true);
        check(file, "/private/x", false);
        check("user-agent: *\ndisallow: /a", "/a", false);
        check("user-agent: feedmill-image\ndisallow: /", "/a", true);
        check("user-agent: feedmill\ndisallow:\nuser-agent: *\ndisallow: /", "/a", true);
        // Two groups of one name are one.
        check(
            "user-agent: feedmill\ndisallow: /a\nuser-agent: x\ndisallow: /\nuser-agent: feedmill\ndisallow: /b",
            "/b",
            false,
        );
        check("disallow: /", "/a", true);
        check("", "/a", true);
    }

    #[test]
    fn the_longest_match_decides() {
        let file = "user-agent: *\nallow: /p\ndisallow: /\n";
        check(file, "/page", true);
        check(file, "/other", false);
        check(file, "/robots.txt", true);
        check("user-agent: *\nallow: /folder\ndisallow: /folder", "/folder/page", true);
        check("user-agent: *\nallow: /page\ndisallow: /*.htm", "/page.htm", false);
        check("user-agent: *\nallow: /$\ndisallow: /", "/", true);
        check("user-agent: *\nallow: /$\ndisallow: /", "/page", false);
    }

    #[test]
    fn stars_dollars_and_percents() {
        for (pattern, path, expected) in [
            ("/fish", "/fish.html", true),
            ("/fish", "/Fish", false),
            ("/fish/", "/fish", false),
            ("/*.php", "/a/b.php?c", true),
            ("/*.php$", "/a.php?c", false),
            ("/*.php$", "/a.php.php", true),
            ("/fish*.php", "/fishheads/catfish.php?x", true),
            ("/a*b*c$", "/abc", true),
            ("/a*b*c$", "/ab", false),
            ("/a*", "/a", true),
            ("/%7Ejoe", "/~joe/x", true),
            ("/a%3cd", "/a%3Cd", true),
            ("/foo/bar/ツ", "/foo/bar/%E3%83%84", true),
        ] {
            check(&format!("user-agent: *\ndisallow: {pattern}"), path, !expected);
        }
    }

    #[test]
    fn a_delay_is_read_within_bounds() {
        let delay = |text: &str| Robots::read(format!("user-agent: *\ncrawl-delay: {text}").as_bytes()).delay;
        assert_eq!(delay("10"), Some(Duration::from_secs(10)));
        assert_eq!(delay("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(delay("1e300"), Some(LONGEST));
        for text in ["-1", "NaN", "inf", "soon", "0", ""] {
            assert_eq!(delay(text), None, "{text}");
        }
        assert!(!Robots::closed().allows("/a"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_file_stops_the_reader(file in any::<Vec<u8>>(), path in "/[a-z*$%0-9é]{0,20}") {
            let _ = Robots::read(&file).allows(&path);
        }

        #[test]
        fn what_is_forbidden_by_its_own_name_is_forbidden(path in "/[a-z0-9%*é?=]{1,20}") {
            let file = format!("user-agent: *\ndisallow: {path}");
            prop_assert!(!Robots::read(file.as_bytes()).allows(&path));
        }
    }
}
