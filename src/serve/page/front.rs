//! The front page: what this is, how to subscribe, how the sources fare, what is new.

use std::fmt::{self, Display, Write as _};

use url::Url;

use crate::model::Timestamp;
use crate::model::feed::{FeedName, Format};
use crate::published::status::{Headline, Health, SourceStatus, Status};

/// Text between tags or in a quoted attribute.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => formatter.write_str("&amp;"),
                '<' => formatter.write_str("&lt;"),
                '>' => formatter.write_str("&gt;"),
                '"' => formatter.write_str("&quot;"),
                '\'' => formatter.write_str("&#39;"),
                other => formatter.write_char(other),
            }?;
        }
        Ok(())
    }
}

pub(in crate::serve) fn front(status: &Status) -> String {
    let mut page = String::with_capacity(16_000);
    // Writing to a String cannot fail.
    let _ = write_front(&mut page, status);
    page
}

fn write_front(page: &mut String, status: &Status) -> fmt::Result {
    let title = Escaped(&status.title);
    write!(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n")?;
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<link rel=\"stylesheet\" href=\"style.css\">\n");
    for (name, feed) in feeds(status) {
        for format in Format::ALL {
            let media_type = format.media_type().split(';').next().unwrap_or_default();
            let (suffix, name) = (format.suffix(), Escaped(&name));
            writeln!(
                page,
                "<link rel=\"alternate\" type=\"{media_type}\" title=\"{name} ({suffix})\" href=\"{feed}.{suffix}\">"
            )?;
        }
    }
    write!(page, "</head>\n<body>\n<header>\n<h1>{title}</h1>\n<p>Feeds, polled, merged and published again. ")?;
    page.push_str("Copy an address into your feed reader to subscribe.</p>\n</header>\n<main>\n");
    banners(page, status)?;
    subscribe(page, status)?;
    latest(page, &status.latest)?;
    sources(page, status)?;
    page.push_str("</main>\n<footer><p><a href=\"opml\">All feeds as OPML</a> · <a href=\"sources.opml\">All sources as OPML</a> · ");
    page.push_str("<a href=\"metrics\">Metrics</a></p></footer>\n</body>\n</html>\n");
    Ok(())
}

fn feeds(status: &Status) -> Vec<(String, FeedName)> {
    let topics = status.topics.iter().map(|topic| (topic.title.clone(), FeedName::Topic(topic.key.clone())));
    std::iter::once(("Everything".to_owned(), FeedName::All)).chain(topics).collect()
}

fn banners(page: &mut String, status: &Status) -> fmt::Result {
    if let Some(problem) = &status.config_problem {
        let problem = Escaped(problem);
        writeln!(
            page,
            "<p class=\"banner\" role=\"alert\">The edited feeds.toml is not in effect; the last good one is. {problem}</p>"
        )?;
    }
    if let Some(reason) = &status.not_ready {
        writeln!(page, "<p class=\"banner\" role=\"alert\">Not ready: {}</p>", Escaped(reason))?;
    }
    if let Some(note) = status.search.as_ref().and_then(|search| search.note.as_ref()) {
        writeln!(page, "<p class=\"banner\">Searches look through the newest entries only: {}</p>", Escaped(note))?;
    }
    Ok(())
}

fn subscribe(page: &mut String, status: &Status) -> fmt::Result {
    page.push_str("<section>\n<h2>Subscribe</h2>\n<ul class=\"feeds\">\n");
    for (name, feed) in feeds(status) {
        let address = status.base.as_ref().and_then(|base| base.join(&format!("{feed}.atom")).ok());
        let address = address.as_ref().map_or("", Url::as_str);
        write!(
            page,
            "<li><strong>{}</strong> <code>{}</code> <span class=\"formats\">",
            Escaped(&name),
            Escaped(address)
        )?;
        for (format, label) in Format::ALL.into_iter().zip(["Atom", "RSS", "JSON"]) {
            write!(page, "<a href=\"{feed}.{}\">{label}</a> ", format.suffix())?;
        }
        page.push_str("</span></li>\n");
    }
    page.push_str("</ul>\n<form action=\"search.atom\"><label>A feed of your own query <input name=\"q\" required ");
    page.push_str("placeholder='title:summit -sports \"north korea\"'></label> <button>Open as Atom</button></form>\n</section>\n");
    Ok(())
}

fn time(at: Timestamp) -> String {
    format!("<time datetime=\"{}\">{}</time>", at.format("%Y-%m-%dT%H:%M:%SZ"), at.format("%e %b %Y, %H:%M UTC"))
}

fn latest(page: &mut String, latest: &[Headline]) -> fmt::Result {
    page.push_str("<section>\n<h2>Latest entries</h2>\n");
    if latest.is_empty() {
        page.push_str(
            "<p>Nothing yet. The first entries appear as soon as a source has been polled.</p>\n</section>\n",
        );
        return Ok(());
    }
    page.push_str("<ol class=\"latest\">\n");
    for headline in latest {
        let title = Escaped(&headline.title);
        write!(page, "<li><a href=\"entries/{}\">{title}</a> <small>", headline.id.bare())?;
        if let Some(url) = &headline.url {
            let host = url.host_str().unwrap_or("its page");
            write!(page, "<a href=\"{}\">{}</a> · ", Escaped(url.as_str()), Escaped(host))?;
        }
        let sources = headline.sources.join(", ");
        writeln!(page, "{} · {}</small></li>", Escaped(&sources), time(headline.published))?;
    }
    page.push_str("</ol>\n</section>\n");
    Ok(())
}

/// Those in trouble first.
fn sources(page: &mut String, status: &Status) -> fmt::Result {
    let sources = &status.sources;
    page.push_str("<section>\n<h2>Sources</h2>\n");
    if sources.is_empty() {
        page.push_str("<p>None yet. Add one to feeds.toml:</p>\n<pre>[sources.bbc-world]\nurl = \"https://feeds.bbci.co.uk/news/world/rss.xml\"\n");
        page.push_str("topics = [\"world-news\"]</pre>\n</section>\n");
        return Ok(());
    }
    page.push_str("<div class=\"scroll\"><table>\n<thead><tr><th>Source<th>Health<th>Last success<th class=\"number\">Entries<th>Feed</tr></thead>\n<tbody>\n");
    let mut ordered: Vec<&SourceStatus> = sources.iter().collect();
    ordered.sort_by_key(|source| source.health);
    for source in ordered {
        row(page, source, status.lists(&FeedName::Source(source.key.clone())))?;
    }
    page.push_str("</tbody>\n</table></div>\n</section>\n");
    Ok(())
}

fn row(page: &mut String, source: &SourceStatus, has_feed: bool) -> fmt::Result {
    let (title, address) = (Escaped(&source.title), Escaped(&source.address));
    write!(page, "<tr><td>")?;
    match &source.site {
        Some(site) => write!(page, "<a href=\"{}\">{title}</a>", Escaped(site.as_str()))?,
        None => write!(page, "{title}")?,
    }
    let health = source.health.name();
    write!(page, "<br><small>{address}</small><td><span class=\"health {health}\">{health}</span>")?;
    if let Some(reason) = &source.reason {
        write!(page, "<br><small>{}</small>", Escaped(reason))?;
    }
    if source.health == Health::Failing && source.failures > 1 {
        write!(page, "<br><small>{} times in a row</small>", source.failures)?;
    }
    if source.held > 0 {
        let (held, key) = (source.held, &source.key);
        write!(
            page,
            "<br><small>{held} entries are held back: <code>feedmill release {key}</code> lets them out</small>"
        )?;
    }
    for note in &source.notes {
        write!(page, "<br><small>{}</small>", Escaped(note))?;
    }
    let last = source.last_success.map_or_else(|| "never".to_owned(), time);
    let key = &source.key;
    write!(page, "<td>{last}<td class=\"number\">{}<td>", source.entries)?;
    if has_feed {
        for (format, label) in Format::ALL.into_iter().zip(["Atom", "RSS", "JSON"]) {
            write!(page, "<a href=\"sources/{key}.{}\">{label}</a> ", format.suffix())?;
        }
    }
    page.push_str("</tr>\n");
    Ok(())
}
