//! Where a publisher says that it has an entry from: RSS `source`, `atom:source` (RFC 4287 §4.2.11).

use url::Url;

use crate::model::document::Origin;
use crate::parse::border::web_address;
use crate::parse::normalise::Document;
use crate::parse::normalise::names::Element;
use crate::parse::normalise::tree::Id;
use crate::text;

pub(super) fn of(document: &Document<'_>, source: Id) -> Option<Origin> {
    let tree = &document.tree;
    let base = document.base(source);
    let address = |text: &str| web_address(text, base.as_deref());
    let titled = tree.all(source, Element::Title).find_map(|id| tree.text(id));
    let title = titled.or_else(|| tree.text(source).filter(|_| tree.children(source).next().is_none()));
    let linked = |wanted: &str| -> Option<Url> {
        let links = tree.all(source, Element::Link).chain(tree.all(source, Element::AtomLink));
        links
            .filter(|id| tree.attribute(*id, "rel").as_deref().unwrap_or("alternate").eq_ignore_ascii_case(wanted))
            .find_map(|id| address(&tree.attribute(id, "href").or_else(|| tree.text(id))?))
    };
    let origin = Origin {
        title: title.map(|title| text::visible_title(&title)).filter(|title| !title.is_empty()),
        url: linked("alternate"),
        feed: tree.attribute(source, "url").and_then(|text| address(&text)).or_else(|| linked("self")),
    };
    (origin != Origin::default()).then_some(origin)
}
