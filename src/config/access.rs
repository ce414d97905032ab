//! `[access]`, and what `access` and `private` say of the server, of topics and of sources.

use std::collections::{BTreeMap, BTreeSet};

use url::{Host, Url};

use crate::config::check::Declared;
use crate::config::problem::{Problems, Span};
use crate::config::read::secret;
use crate::config::table::{self, At, Reader, Value};
use crate::config::{Server, Surroundings, Topic};
use crate::model::access::{Access, Group, GroupName, Password, PasswordHash, Permission, TokenHash};
use crate::model::source::{SourceKey, TopicKey};

/// Most users, and most tokens, of one group: every one that is not right is looked at for each guess.
const READERS: usize = 1_000;

/// What the file says of who may read what, before the groups are known.
#[derive(Default)]
pub(super) struct Said {
    server: Option<At<String>>,
    topics: Vec<(TopicKey, At<String>)>,
    sources: Vec<(SourceKey, At<String>)>,
    private: BTreeSet<SourceKey>,
}

impl Said {
    pub(super) fn of_server(&mut self, table: &mut Reader<'_>, problems: &mut Problems<'_>) {
        self.server = table.text("access", problems);
    }

    pub(super) fn of_topic(&mut self, key: &TopicKey, table: &mut Reader<'_>, problems: &mut Problems<'_>) {
        self.topics.extend(table.text("access", problems).map(|said| (key.clone(), said)));
    }

    pub(super) fn of_source(&mut self, key: &SourceKey, table: &mut Reader<'_>, problems: &mut Problems<'_>) {
        self.sources.extend(table.text("access", problems).map(|said| (key.clone(), said)));
        if table.boolean("private", problems).unwrap_or(false) {
            self.private.insert(key.clone());
        }
    }

    /// Everything put together.
    pub(super) fn resolve(self, groups: Groups, around: &Around<'_>, problems: &mut Problems<'_>) -> Access {
        for (key, said) in &self.sources {
            if self.private.contains(key) && said.value == GroupName::PUBLIC {
                let what = format!("[sources.{key}] is private, so its own feed cannot be public");
                problems.add(&said.span, what, Some("name a group of [access], or leave `access` out".to_owned()));
            }
        }
        let mut used = BTreeSet::new();
        let mut permission = |said: &At<String>| permission(said, &groups, &mut used, problems);
        let server = self.server.as_ref().map(&mut permission).unwrap_or_default();
        let topics = self.topics.iter().map(|(key, said)| (key.clone(), permission(said))).collect();
        let sources = self.sources.iter().map(|(key, said)| (key.clone(), permission(said))).collect();
        for (name, (span, _)) in groups.iter().filter(|(name, _)| !used.contains(*name)) {
            problems.warn(span, format!("nothing has access = \"{name}\""));
        }
        let groups: BTreeMap<_, _> = groups.into_iter().map(|(name, (_, group))| (name, group)).collect();
        let access = Access { groups, server, topics, sources, private: self.private };
        doubts(&access, around, !used.is_empty(), problems);
        access
    }
}

/// What matters to access of everything else in the file.
pub(super) struct Around<'a> {
    pub(super) server: &'a Server,
    pub(super) declared: &'a [Declared],
    pub(super) topics: &'a [At<Topic>],
}

/// With the place of each.
pub(super) type Groups = BTreeMap<GroupName, (Span, Group)>;

fn permission(
    said: &At<String>,
    groups: &Groups,
    used: &mut BTreeSet<GroupName>,
    problems: &mut Problems<'_>,
) -> Permission {
    if said.value == GroupName::PUBLIC {
        return Permission::Public;
    }
    if let Some((name, _)) = groups.iter().find(|(name, _)| name.as_str() == said.value) {
        used.insert(name.clone());
        return Permission::Group(name.clone());
    }
    let known = groups.keys().map(GroupName::as_str).chain([GroupName::PUBLIC]);
    let help = table::nearest(&said.value, known).map(|near| format!("did you mean \"{near}\"?"));
    let help = help.unwrap_or_else(|| format!("declare [access.{}], or write \"public\"", said.value));
    problems.add(&said.span, format!("there is no group `{}`", said.value), Some(help));
    Permission::Nobody
}

/// `[access.NAME]`
pub(super) fn groups(mut table: Reader<'_>, around: &Surroundings<'_>, problems: &mut Problems<'_>) -> Groups {
    let mut found = Groups::new();
    for (key, value) in table.take_rest() {
        let name = format!("[access.{}]", key.value);
        let Some(mut inner) = table::table(&name, value, problems) else { continue };
        let group =
            Group { users: users(&name, &mut inner, around, problems), tokens: tokens(&name, &mut inner, problems) };
        inner.finish(problems);
        if group.users.is_empty() && group.tokens.is_empty() {
            problems.warn(&key.span, format!("nobody is in {name}: `feedmill access` makes a password or a token"));
        }
        match GroupName::new(&key.value) {
            Ok(_) if key.value == GroupName::PUBLIC => {
                problems.add(&key.span, "`public` means everybody and cannot be a group", None)
            }
            Ok(name) => drop(found.insert(name, (key.span, group))),
            Err(problem) => problems.add(&key.span, problem.to_string(), None),
        }
    }
    found
}

fn users(
    name: &str,
    group: &mut Reader<'_>,
    around: &Surroundings<'_>,
    problems: &mut Problems<'_>,
) -> BTreeMap<String, Password> {
    let mut inner = group.table("users", &format!("{name} users"), problems);
    let mut found = BTreeMap::new();
    for (user, value) in inner.take_rest() {
        let At { span, value: user } = user;
        // RFC 7617 §2: the colon ends the name.
        if user.is_empty() || user.len() > 200 || user.contains(|letter: char| letter == ':' || letter.is_control()) {
            problems.add(
                &span,
                format!("`{user}` cannot be a user: a name has no colon and no control character"),
                None,
            );
            continue;
        }
        if let Some(password) = password(&user, value, around, problems) {
            bounded(&span, found.len(), problems);
            found.insert(user, password);
        }
    }
    found
}

fn password(user: &str, value: Value<'_>, around: &Surroundings<'_>, problems: &mut Problems<'_>) -> Option<Password> {
    let span = value.span();
    let is_in_file = value.get_ref().as_str().is_some();
    let secret = secret(user, value, around, problems)?;
    let text = secret.reveal();
    if text.starts_with(PasswordHash::SCHEME) {
        let hash = PasswordHash::read(text).map(Password::Hash);
        if hash.is_none() {
            let what = format!("the password's hash of `{user}` cannot be read");
            problems.add(&span, what, Some("`feedmill access password` makes one".to_owned()));
        }
        return hash;
    }
    // Not repeated: it is a secret.
    let what = match () {
        () if is_in_file => format!("what stands here for `{user}` is no hash of a password"),
        () if text.is_empty() => format!("the password of `{user}` is empty"),
        () => return Some(Password::Plain(secret)),
    };
    let help = "`feedmill access password` makes the hash; a password itself may come from { file = \"…\" } or { env = \"…\" }";
    problems.add(&span, what, Some(help.to_owned()));
    None
}

fn tokens(name: &str, group: &mut Reader<'_>, problems: &mut Problems<'_>) -> BTreeMap<String, TokenHash> {
    let mut inner = group.table("tokens", &format!("{name} tokens"), problems);
    let mut found = BTreeMap::new();
    for (key, value) in inner.take_rest() {
        let Some(At { span, value: text }) = table::text(&key.value, &value, problems) else { continue };
        if let Some(hash) = TokenHash::read(&text) {
            bounded(&span, found.len(), problems);
            found.insert(key.value, hash);
        } else {
            // Not repeated: it may be the token itself.
            let what = format!("what stands here for `{}` is no hash of a token", key.value);
            problems.add(&span, what, Some("`feedmill access token` makes a token and the line for it".to_owned()));
        }
    }
    found
}

fn bounded(span: &Span, number: usize, problems: &mut Problems<'_>) {
    if number == READERS {
        problems.add(span, format!("a group has {READERS} users and {READERS} tokens at the most"), None);
    }
}

/// What is allowed and probably not meant.
fn doubts(access: &Access, around: &Around<'_>, has_readers: bool, problems: &mut Problems<'_>) {
    if has_readers && !is_covered(around.server) {
        problems.warn_outside(
            "passwords and tokens would travel unencrypted: put a web server with TLS in front, and set `public_url` to its https address",
        );
    }
    for topic in around.topics {
        let key = &topic.value.key;
        let permission = access.topics.get(key).unwrap_or(&access.server);
        let naming: Vec<_> = around.declared.iter().filter(|one| one.source.topics.contains(key)).collect();
        let is_private = |one: &&&Declared| access.private.contains(&one.source.key);
        let is_fed_by_others = topic.value.matches.is_some() || !naming.iter().all(|one| is_private(&one));
        if *permission == Permission::Public && !naming.is_empty() && !is_fed_by_others {
            let what = format!("[topics.{key}] is public and all of its sources are private: it shows nothing");
            problems.warn(&topic.span, what);
        }
        let foreign = naming.iter().filter(is_private).filter_map(|one| {
            let own = access.sources.get(&one.source.key)?;
            (*permission != Permission::Public && own != permission).then_some(&one.source.key)
        });
        for source in foreign {
            let what = format!(
                "the readers of [topics.{key}] are shown the private source `{source}`, whose own feed they may not read"
            );
            problems.warn(&topic.span, what);
        }
    }
}

/// Whether nobody on the way can listen, as far as the file tells.
fn is_covered(server: &Server) -> bool {
    let is_own = |url: &Url| match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match &server.public_url {
        Some(url) => url.scheme() == "https" || is_own(url),
        None => server.listen.ip().is_loopback(),
    }
}
