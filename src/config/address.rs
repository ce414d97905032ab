//! The address of a source, as written → where it is read from.

use std::path::Path;

use url::Url;

use crate::config::problem::Problems;
use crate::config::table::{At, nearest};
use crate::model::source::{Credentials, Location, Secret};

/// Where a source is read from, with the credentials that were part of its address.
pub(super) fn location(
    address: &At<String>,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<(Location, Option<Credentials>)> {
    let text = address.value.trim();
    if let Some(path) = text.strip_prefix("file:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return Some((Location::File(folder.join(path)), None));
    }
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(split_userinfo(url)),
        Ok(url) => {
            let help = near_scheme(text).unwrap_or_else(|| "use http:, https: or file:".to_owned());
            problems.add(&address.span, format!("`{}:` is no scheme that a source can have", url.scheme()), Some(help));
            None
        }
        Err(_) => {
            // Not printed: it may hold a password.
            let help = "write it with its scheme, such as \"https://example.org/feed.xml\"";
            problems.add(&address.span, "this is no address", Some(help.to_owned()));
            None
        }
    }
}

/// The file's location and its userinfo, from the address as it was written.
fn split_userinfo(mut url: Url) -> (Location, Option<Credentials>) {
    let decode = |text: &str| percent_decoded(text);
    let credentials = (!url.username().is_empty() || url.password().is_some()).then(|| Credentials {
        username: decode(url.username()),
        password: Secret::new(decode(url.password().unwrap_or_default())),
    });
    // Both succeed for every address that has a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    (Location::Http(url), credentials)
}

fn percent_decoded(text: &str) -> String {
    // `+` stands for itself in userinfo, but for a blank in a form.
    let pair = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map_or_else(String::new, |(_, value)| value.into_owned())
}

/// Proposes a scheme for an address that lacks one.
fn near_scheme(text: &str) -> Option<String> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let near = scheme.and_then(|scheme| nearest(scheme, ["http", "https", "file"].into_iter()));
    near.map(|near| format!("did you mean `{near}:`?"))
}
