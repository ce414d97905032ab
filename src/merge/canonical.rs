//! An address → the form in which two spellings of it are equal. Used as a key only: links are published as given.

use url::Url;

/// Parameters that say how, or in which session, a reader came to a page, never which page it is.
const TRACKING: &[&str] = &[
    "_hsenc",
    "_hsmi",
    "_openstat",
    "at_campaign",
    "at_custom1",
    "at_custom2",
    "at_custom3",
    "at_custom4",
    "at_medium",
    "campaign_id",
    "cmpid",
    "dclid",
    "fbclid",
    "ftag",
    "gclid",
    "gclsrc",
    "guccounter",
    "guce_referrer",
    "guce_referrer_sig",
    "icid",
    "igshid",
    "jsessionid",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "msclkid",
    "ns_campaign",
    "ns_linkname",
    "ns_mchannel",
    "ns_source",
    "oly_anon_id",
    "oly_enc_id",
    "phpsessid",
    "ref_src",
    "ref_url",
    "session_id",
    "sessionid",
    "sr_share",
    "srnd",
    "taid",
    "twclid",
    "vero_conv",
    "vero_id",
    "wickedid",
    "wt_mc",
    "xtor",
    "yclid",
];

/// Beginnings of names of tracking parameters.
const TRACKING_PREFIXES: &[&str] = &["utm_", "mtm_", "pk_", "piwik_", "hsa_", "stm_", "ga_"];

/// Values of `source`, `ref` and `from` that only name the feed as the way; other values may matter.
const FEED_WORDS: &[&str] = &["rss", "feed", "feeds", "atom", "rssfeed", "newsfeed", "xml"];

fn is_tracking(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TRACKING.contains(&name.as_str())
        || TRACKING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || (matches!(name.as_str(), "source" | "ref" | "from")
            && FEED_WORDS.contains(&value.to_ascii_lowercase().as_str()))
}

/// The host without the labels that name a device or a variant of the same site.
pub fn site_host(url: &Url) -> Option<&str> {
    let host = url.host_str()?.trim_end_matches('.');
    let bare = ["www.", "m.", "amp.", "mobile."].iter().find_map(|label| host.strip_prefix(label));
    // `m.com` is a name of its own; a label goes only where a whole name is left.
    Some(bare.filter(|rest| rest.contains('.')).unwrap_or(host))
}

/// The path without the session that servers write into it (`/a;jsessionid=…`).
fn path(url: &Url) -> &str {
    let path = url.path();
    let session = path.to_ascii_lowercase().find(";jsessionid=");
    session.map_or(path, |at| &path[..at])
}

/// Where an address lies on its site, whatever the site is called; `None` for a front page.
pub fn place(url: &Url) -> Option<String> {
    if is_front_page(url) {
        return None;
    }
    let whole = canonical(url);
    let at = whole.find(['/', '?'])?;
    Some(format!("{}#{}", &whole[at..], telling_fragment(url).unwrap_or_default()))
}

/// The canonical text of an address, without its scheme: http and https are the same page.
pub fn canonical(url: &Url) -> String {
    let mut text = site_host(url).unwrap_or_default().to_owned();
    if let Some(port) = url.port().filter(|port| !matches!(port, 80 | 443)) {
        text.push(':');
        text.push_str(&port.to_string());
    }
    text.push_str(path(url).trim_end_matches('/'));
    let mut pairs: Vec<_> = url.query_pairs().filter(|(name, value)| !is_tracking(name, value)).collect();
    pairs.sort();
    for (index, (name, value)) in pairs.iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        text.extend(url::form_urlencoded::byte_serialize(name.as_bytes()));
        text.push('=');
        text.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
    }
    text
}

/// Whether two addresses seem to be of one publisher: one host is the other or lies below it, or both lie below one name that is
/// registered as such. A guess for proposals, without the list of all public suffixes: a name of two short parts (`co.uk`) is none.
pub fn is_same_site(one: &Url, other: &Url) -> bool {
    let (Some(one), Some(other)) = (site_host(one), site_host(other)) else { return false };
    within(one, other) || within(other, one) || registered(one).is_some_and(|name| registered(other) == Some(name))
}

/// Whether one host is the other or lies below it.
pub(super) fn within(host: &str, parent: &str) -> bool {
    host.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn registered(host: &str) -> Option<&str> {
    if host.ends_with(|last: char| last.is_ascii_digit() || last == ']') {
        // Parts of an IP address are no names.
        return None;
    }
    let mut ends = host.rmatch_indices('.').map(|(at, _)| at);
    let last = ends.next()?;
    let second = ends.next();
    let from = |dot: Option<usize>| &host[dot.map_or(0, |dot| dot + 1)..];
    let is_suffix = host.len() - last <= 3 && last - second.map_or(0, |dot| dot + 1) <= 3;
    if is_suffix { second.map(|_| from(ends.next())) } else { Some(from(second)) }
}

/// The fragment, unless it is only a way of tracking. Two entries of one source may differ in nothing else
/// (`changelog#v2`, `changelog#v3`).
pub fn telling_fragment(url: &Url) -> Option<&str> {
    let fragment = url.fragment()?;
    let tracking = fragment.is_empty()
        || fragment.contains(":~:text=")
        || ["xtor=", "utm_", "Echobox="].iter().any(|prefix| fragment.starts_with(prefix));
    (!tracking).then_some(fragment)
}

/// Whether an address is the front page of a site, which never names one entry.
pub fn is_front_page(url: &Url) -> bool {
    url.path().trim_matches('/').is_empty() && url.query().is_none()
}
