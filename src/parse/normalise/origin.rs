//! Where a publisher says that it has an entry from: RSS `source`, `atom:source` (RFC 4287 §4.2.11).

use std::borrow::Cow;

use url::Url;

use crate::model::document::Origin;
use crate::parse::border::web_address;
use crate::parse::dates;
use crate::parse::normalise::Document;
use crate::parse::normalise::names::Element;
use crate::parse::normalise::tree::Id;
use crate::text;

pub(super) fn of(document: &Document<'_>, source: Id) -> Option<Origin> {
    let tree = &document.tree;
    let base = document.base(source);
    let address = |text: &str| web_address(text, base.as_deref()).map(without_user);
    let text = |element: Element| tree.all(source, element).find_map(|id| tree.text(id));
    let title = text(Element::Title).or_else(|| tree.text(source).filter(|_| tree.children(source).next().is_none()));
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
        id: text(Element::Guid).map(Cow::into_owned),
        updated: text(Element::Updated).and_then(|text| dates::read_date(&text)),
    };
    (origin != Origin::default()).then_some(origin)
}

/// What one feed signs in with at another is nobody's business.
fn without_user(mut url: Url) -> Url {
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}
