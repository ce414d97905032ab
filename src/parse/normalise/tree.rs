//! Tags → a small tree of what is understood. Everything else is passed over, though its tags still count for what closes what.
//!
//! A node holds where its inside begins and ends in the text, so that long content is neither copied nor cut up here.

use std::borrow::Cow;

use crate::parse::normalise::names::{self, Element, Spaces};
use crate::parse::normalise::references::References;
use crate::parse::normalise::tokens::{Token, Tokens, attribute, attributes};

/// Deepest nesting that is followed; deeper tags are counted and not kept.
const DEPTH: usize = 150;
/// Entries that are kept.
const ITEMS: usize = 5_000;
/// Children of one element that are kept, and elements altogether.
const CHILDREN: usize = 400;
const NODES: usize = 250_000;

pub(super) type Id = usize;

/// One element.
pub(super) struct Node<'a> {
    pub(super) element: Element,
    /// With its prefix, as written.
    pub(super) name: &'a str,
    pub(super) attributes: &'a str,
    begin: usize,
    end: usize,
    pub(super) parent: Option<Id>,
    first_child: Option<Id>,
    last_child: Option<Id>,
    next: Option<Id>,
    children: usize,
    /// It has its own end tag.
    is_closed: bool,
    has_markup: bool,
}

/// What was odd in the document.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Oddities {
    /// End tags that close nothing.
    pub(super) stray: usize,
    /// Elements that nobody closed.
    pub(super) unclosed: usize,
    pub(super) too_deep: usize,
    pub(super) more_items: usize,
    /// Something that is no feed stands before it.
    pub(super) before: bool,
    /// It is within a web page, or is one.
    pub(super) is_page: bool,
    /// The document ends within the feed.
    pub(super) is_cut_off: bool,
}

pub(super) struct Tree<'a> {
    text: &'a str,
    nodes: Vec<Node<'a>>,
    pub(super) root: Option<Id>,
    pub(super) items: Vec<Id>,
    pub(super) oddities: Oddities,
    pub(super) references: References,
}

/// An element that is open.
struct Open<'a> {
    name: &'a str,
    element: Element,
    /// `None`: it is passed over, and so is everything in it.
    node: Option<Id>,
}

struct Builder<'a> {
    tree: Tree<'a>,
    open: Vec<Open<'a>>,
    spaces: Spaces<'a>,
    deeper: usize,
}

impl<'a> Tree<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let tree = Self {
            text,
            nodes: Vec::new(),
            root: None,
            items: Vec::new(),
            oddities: Oddities::default(),
            references: References::default(),
        };
        let mut builder = Builder { tree, open: Vec::new(), spaces: Spaces::default(), deeper: 0 };
        builder.run();
        builder.tree
    }

    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id]
    }

    /// Children in their order.
    pub(super) fn children(&self, id: Id) -> impl Iterator<Item = Id> {
        std::iter::successors(self.nodes[id].first_child, |child| self.nodes[*child].next)
    }

    pub(super) fn all(&self, id: Id, element: Element) -> impl Iterator<Item = Id> {
        self.children(id).filter(move |child| self.nodes[*child].element == element)
    }

    /// Whether an item has its end, as opposed to where the document was cut off.
    pub(super) fn is_whole(&self, item: Id) -> bool {
        self.nodes[item].is_closed || !self.oddities.is_cut_off || self.items.last() != Some(&item)
    }

    /// What stands in an element, as written.
    pub(super) fn inside(&self, id: Id) -> &'a str {
        let node = &self.nodes[id];
        &self.text[node.begin..node.end.max(node.begin)]
    }

    pub(super) fn has_markup(&self, id: Id) -> bool {
        self.nodes[id].has_markup
    }

    /// An attribute's value; never empty.
    pub(super) fn attribute(&self, id: Id, name: &str) -> Option<Cow<'a, str>> {
        let raw = attribute(self.nodes[id].attributes, name)?;
        let value = trimmed(self.references.decoded(raw));
        (!value.is_empty()).then_some(value)
    }

    /// The value of the first attribute of that local name, whatever its prefix.
    pub(super) fn local_attribute(&self, id: Id, local: &str) -> Option<Cow<'a, str>> {
        let mut list = attributes(self.nodes[id].attributes);
        let (_, raw) = list.find(|(name, _)| names::split(name).1.eq_ignore_ascii_case(local))?;
        let value = trimmed(self.references.decoded(raw));
        (!value.is_empty()).then_some(value)
    }

    /// The text of an element without its tags; never empty.
    pub(super) fn text(&self, id: Id) -> Option<Cow<'a, str>> {
        let inside = self.inside(id);
        let text = if inside.contains('<') { self.joined(inside) } else { self.references.decoded(inside) };
        let text = trimmed(text);
        (!text.is_empty()).then_some(text)
    }

    fn joined(&self, inside: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed("");
        for token in Tokens::new(inside) {
            let piece = match token {
                Token::Text(raw) => self.references.decoded(raw),
                Token::Cdata(piece) => Cow::Borrowed(piece),
                _ => continue,
            };
            if text.trim().is_empty() { text = piece } else { text.to_mut().push_str(&piece) }
        }
        text
    }
}

pub(super) fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => {
            let trimmed = text.trim();
            if trimmed.len() == text.len() { Cow::Owned(text) } else { Cow::Owned(trimmed.to_owned()) }
        }
    }
}

impl<'a> Builder<'a> {
    fn run(&mut self) {
        let mut tokens = Tokens::new(self.tree.text);
        loop {
            let begin = tokens.position();
            let Some(token) = tokens.next() else { break };
            match token {
                Token::Start { name, attributes, is_empty } => {
                    self.start(name, attributes, is_empty, begin, tokens.position());
                }
                Token::End { name } => {
                    self.end(name, begin);
                    if self.tree.root.is_some() && self.open.is_empty() {
                        return;
                    }
                }
                Token::Doctype(inside) if self.tree.root.is_none() => self.tree.references.declare(inside),
                Token::Text(text) if self.tree.root.is_none() => {
                    let is_blank = |letter: char| letter.is_whitespace() || letter == '\u{feff}';
                    self.tree.oddities.before |= !text.chars().all(is_blank);
                }
                _ => {}
            }
        }
        self.tree.oddities.is_cut_off = self.tree.root.is_some();
        self.close_down_to(0, self.tree.text.len());
    }

    fn start(&mut self, name: &'a str, raw: &'a str, is_empty: bool, begin: usize, behind: usize) {
        if self.tree.root.is_none() {
            self.before_root(name, raw, is_empty, behind);
            return;
        }
        if is_void(name) {
            self.mark_markup();
            return;
        }
        let depth = self.open.len() + 1;
        self.spaces.declare(raw, depth);
        let element = self.spaces.element(name);
        let is_item = element == Element::Item && !self.is_within_source();
        if is_item {
            self.leave_items(begin);
        } else if self.open.len() >= DEPTH || self.deeper > 0 {
            self.tree.oddities.too_deep += 1;
            self.deeper += usize::from(!is_empty);
            self.spaces.leave(depth - 1);
            return;
        } else {
            self.leave_forgotten(element, name, begin);
        }
        let node = self.keep(element, is_item, name, raw, behind);
        if node.is_none() && !is_item {
            self.mark_markup();
        }
        if is_empty {
            if let Some(node) = node {
                self.tree.nodes[node].is_closed = true;
            }
            self.spaces.leave(self.open.len());
        } else {
            self.open.push(Open { name, element, node });
        }
    }

    /// The first thing that can be a feed is taken for one.
    fn before_root(&mut self, name: &'a str, raw: &'a str, is_empty: bool, behind: usize) {
        let (_, local) = names::split(name);
        let is = |root: &str| local.eq_ignore_ascii_case(root);
        // Within a page these mean something else.
        let is_bare = !self.tree.oddities.is_page && (is("channel") || is("entry"));
        if !(is("rss") || is("rdf") || is("feed") || is_bare) {
            self.tree.oddities.before = true;
            self.tree.oddities.is_page |= is("html") || is("head") || is("body");
            return;
        }
        let is_atom = is("feed") || is("entry");
        self.spaces.begin(name, is_atom);
        self.spaces.declare(raw, 1);
        let element = match () {
            () if is("entry") => Element::Item,
            () if is("channel") => Element::Channel,
            () => Element::Root,
        };
        let root = self.push(element, name, raw, behind, None);
        self.tree.root = Some(root);
        if element == Element::Item {
            self.tree.items.push(root);
        }
        if !is_empty {
            self.open.push(Open { name, element, node: Some(root) });
        }
    }

    /// A place for an element in the tree, if it has a meaning where it stands.
    fn keep(&mut self, element: Element, is_item: bool, name: &'a str, raw: &'a str, behind: usize) -> Option<Id> {
        let parent = self.open.last().and_then(|open| open.node);
        if is_item {
            if self.tree.items.len() >= ITEMS {
                self.tree.oddities.more_items += 1;
                return None;
            }
            let item = self.push(Element::Item, name, raw, behind, parent.or(self.tree.root));
            self.tree.items.push(item);
            return Some(item);
        }
        let parent = parent?;
        let has_room = self.tree.nodes[parent].children < CHILDREN && self.tree.nodes.len() < NODES;
        let has_meaning = !matches!(element, Element::Unknown | Element::Item);
        if !has_meaning || !has_room || !may_hold(self.tree.nodes[parent].element) {
            return None;
        }
        self.mark_markup();
        let id = self.push(element, name, raw, behind, Some(parent));
        self.append(parent, id);
        Some(id)
    }

    fn push(&mut self, element: Element, name: &'a str, attributes: &'a str, begin: usize, parent: Option<Id>) -> Id {
        self.tree.nodes.push(Node {
            element,
            name,
            attributes,
            begin,
            end: begin,
            parent,
            first_child: None,
            last_child: None,
            next: None,
            children: 0,
            is_closed: false,
            has_markup: false,
        });
        self.tree.nodes.len() - 1
    }

    fn append(&mut self, parent: Id, child: Id) {
        let nodes = &mut self.tree.nodes;
        nodes[parent].children += 1;
        match nodes[parent].last_child.replace(child) {
            Some(before) => nodes[before].next = Some(child),
            None => nodes[parent].first_child = Some(child),
        }
    }

    fn mark_markup(&mut self) {
        if let Some(node) = self.open.iter().rev().find_map(|open| open.node) {
            self.tree.nodes[node].has_markup = true;
        }
    }

    /// The origin's own entries, and copies that lost, are no entries of this feed.
    fn is_within_source(&self) -> bool {
        self.open.iter().any(|open| matches!(open.element, Element::Source | Element::Conflicts))
    }

    /// An item begins: whatever is open within another item, or was forgotten within the channel, ends here.
    fn leave_items(&mut self, begin: usize) {
        let item = self.open.iter().position(|open| open.element == Element::Item);
        let holder = |open: &Open<'_>| matches!(open.element, Element::Root | Element::Channel | Element::Items);
        let holders = self.open.iter().rposition(holder).map_or(1, |at| at + 1);
        self.deeper = 0;
        self.close_down_to(item.unwrap_or(holders), begin);
    }

    /// A field that is never closed ends where the next one begins.
    fn leave_forgotten(&mut self, element: Element, name: &str, begin: usize) {
        let Some(item) = self.open.iter().rposition(|open| open.element == Element::Item) else { return };
        let Some(field) = self.open.get(item + 1) else { return };
        if field.node.is_none() || may_hold(field.element) || !begins_field(element) {
            return;
        }
        let is_long = matches!(field.element, Element::Description | Element::Summary | Element::Content);
        if !(is_long && is_html(names::split(name).1)) {
            self.close_down_to(item + 1, begin);
        }
    }

    fn end(&mut self, name: &str, begin: usize) {
        if self.tree.root.is_none() {
            return;
        }
        let is_item = |open: &Open<'_>| open.element == Element::Item;
        let own = self.open.iter().rposition(|open| open.name.eq_ignore_ascii_case(name));
        let is_structure = own.is_some_and(|at| {
            matches!(self.open[at].element, Element::Item | Element::Channel | Element::Root | Element::Items)
        });
        if self.deeper > 0 && !is_structure {
            self.deeper -= 1;
            return;
        }
        let floor = if is_structure { 0 } else { self.open.iter().rposition(is_item).map_or(0, |at| at + 1) };
        match own.filter(|at| *at >= floor) {
            Some(at) => {
                self.deeper = 0;
                self.close_down_to(at + 1, begin);
                self.close(begin, true);
            }
            None => self.tree.oddities.stray += usize::from(!is_void(name)),
        }
    }

    fn close_down_to(&mut self, length: usize, end: usize) {
        while self.open.len() > length {
            self.tree.oddities.unclosed += 1;
            self.close(end, false);
        }
    }

    fn close(&mut self, end: usize, is_own: bool) {
        let Some(open) = self.open.pop() else { return };
        if let Some(id) = open.node {
            let node = &mut self.tree.nodes[id];
            node.end = end;
            node.is_closed = is_own;
        }
        self.spaces.leave(self.open.len());
    }
}

/// Elements whose children say something; all others hold text.
fn may_hold(element: Element) -> bool {
    matches!(
        element,
        Element::Root
            | Element::Channel
            | Element::Items
            | Element::Item
            | Element::Author
            | Element::Categories
            | Element::Source
            | Element::Group
            | Element::MediaContent
            | Element::Image
            | Element::SkipHours
            | Element::SkipDays
    )
}

/// Elements that stand in an entry, and nowhere in a text.
fn begins_field(element: Element) -> bool {
    !may_hold(element) && !matches!(element, Element::Unknown | Element::Name | Element::Uri | Element::Email)
        || matches!(element, Element::Author | Element::Source | Element::Group | Element::MediaContent)
}

/// Words of HTML that are words of feeds as well.
fn is_html(name: &str) -> bool {
    ["title", "link", "summary", "source", "body"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Elements of HTML that have no end.
fn is_void(name: &str) -> bool {
    ["br", "hr", "img", "input", "meta", "wbr"].iter().any(|void| name.eq_ignore_ascii_case(void))
}
