//! Trees from the parser's events.

use std::collections::{BTreeMap, HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as Range, Tag};

use super::split::Chunk;
use super::{Entry, Flaw, Limits, Node, NodeKind, scalar};
use crate::source::Span;

/// How many bytes of a text count as one value when it is copied.
const TEXT_UNIT: usize = 64;

/// Reads the documents of a chunk. Stops at the first flaw of its syntax, goes on after any other. `left` is how many
/// values may still come.
pub(super) fn documents(
    chunk: &Chunk<'_>,
    limits: Limits,
    left: &mut usize,
    documents: &mut Vec<Node>,
    flaws: &mut Vec<Flaw>,
) {
    if let Some(flaw) = unprintable(chunk) {
        flaws.push(flaw);
        return;
    }
    let mut builder = Builder {
        chunk,
        limits,
        frames: Vec::new(),
        anchors: BTreeMap::new(),
        expanded: 0,
        plain: false,
        finished: Vec::new(),
        flaws: Vec::new(),
    };
    for event in Parser::new_from_str(&chunk.text) {
        let outcome = match event {
            Ok((event, range)) => builder.event(event, range),
            Err(error) => Err(Box::new(syntax(chunk, &error))),
        };
        if let Err(flaw) = outcome {
            builder.flaws.push(*flaw);
            break;
        }
        *left = left.saturating_sub(1);
        if *left == 0 || builder.flaws.len() > limits.flaws || builder.finished.len() > limits.documents {
            break;
        }
    }
    documents.append(&mut builder.finished);
    flaws.append(&mut builder.flaws);
}

/// A collection that is still open.
enum Frame {
    Sequence {
        items: Vec<Node>,
        start: Range,
        anchor: usize,
    },
    Mapping {
        entries: Vec<Entry>,
        /// Where each key stands among the entries, once they are many.
        seen: HashMap<String, usize>,
        merges: Vec<Node>,
        key: Option<Key>,
        start: Range,
        anchor: usize,
    },
}

/// A key that waits for its value.
enum Key {
    /// `<<`.
    Merge,
    Text(String, Span),
}

struct Builder<'a> {
    chunk: &'a Chunk<'a>,
    limits: Limits,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, Node>,
    expanded: usize,
    /// Whether the last scalar was a plain one: only a plain `<<` merges.
    plain: bool,
    finished: Vec<Node>,
    flaws: Vec<Flaw>,
}

type Step = Result<(), Box<Flaw>>;

fn stop(code: &str, message: impl Into<String>, remedy: &str, span: Span) -> Box<Flaw> {
    Box::new(Flaw::new(code, message, remedy, span))
}

impl Builder<'_> {
    fn span(&self, range: Range) -> Span {
        self.chunk.span(range.start.index(), range.end.index())
    }

    fn event(&mut self, event: Event<'_>, range: Range) -> Step {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
            Event::DocumentStart(_) | Event::DocumentEnd => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                let span = self.span(range);
                self.plain = style == ScalarStyle::Plain && tag.is_none();
                let mut kind = self.scalar(&text, style, tag.as_deref(), span);
                if self.awaits_key() {
                    self.tab_before(span);
                    if matches!(kind, NodeKind::Bool(_)) {
                        // A key is what is written: `y` is no `true`.
                        kind = NodeKind::Text(text.into_owned());
                    }
                }
                return self.complete(Node { kind, span }, anchor);
            }
            Event::Alias(id) => return self.alias(id, self.span(range)),
            Event::SequenceStart(anchor, tag) => {
                self.open(Frame::Sequence { items: Vec::new(), start: range, anchor }, tag.as_deref(), "seq", range)?;
            }
            Event::MappingStart(anchor, tag) => {
                let frame = Frame::Mapping {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    merges: Vec::new(),
                    key: None,
                    start: range,
                    anchor,
                };
                self.open(frame, tag.as_deref(), "map", range)?;
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(range),
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Mapping { key: None, .. }))
    }

    /// The parser takes a tab for a space before some keys; readers of Kubernetes do not.
    fn tab_before(&mut self, key: Span) {
        let in_flow = self.frames.iter().any(|frame| match frame {
            Frame::Sequence { start, .. } | Frame::Mapping { start, .. } => {
                self.chunk.starts_with(start.start.index(), &['{', '['])
            }
        });
        if !in_flow && let Some(tab) = self.chunk.indenting_tab(key.start) {
            self.flaws.push(tab_indentation(Span::new(tab, tab + 1)));
        }
    }

    fn open(&mut self, frame: Frame, tag: Option<&Tag>, expected: &str, range: Range) -> Step {
        let span = self.span(range);
        if self.frames.len() >= self.limits.depth {
            let message = format!("collections nest deeper than {} levels", self.limits.depth);
            return Err(stop("nested-too-deep", message, "flatten the document", span));
        }
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == expected)) {
            self.flaws.push(unknown_tag(tag, span));
        }
        self.frames.push(frame);
        Ok(())
    }

    fn close(&mut self, end: Range) -> Step {
        let (kind, start, anchor) = match self.frames.pop() {
            Some(Frame::Sequence { items, start, anchor }) => (NodeKind::Sequence(items), start, anchor),
            Some(Frame::Mapping { mut entries, merges, start, anchor, .. }) => {
                self.merge(&mut entries, merges)?;
                (NodeKind::Mapping(entries), start, anchor)
            }
            None => return Ok(()),
        };
        let span = self.chunk.span(start.start.index(), end.end.index());
        self.complete(Node { kind, span }, anchor)
    }

    /// Puts a finished node where it belongs.
    fn complete(&mut self, node: Node, anchor: usize) -> Step {
        if anchor > 0 {
            self.expand(node.measure(TEXT_UNIT).0, node.span)?;
            self.anchors.insert(anchor, node.clone());
        }
        let plain = std::mem::take(&mut self.plain);
        match self.frames.last_mut() {
            None => {
                if !matches!(node.kind, NodeKind::Null) {
                    self.finished.push(node);
                }
            }
            Some(Frame::Sequence { items, .. }) => items.push(node),
            Some(Frame::Mapping { entries, seen, merges, key, .. }) => match key.take() {
                None => {
                    let span = node.span;
                    let Some(text) = key_text(node) else {
                        let message = "a key must be a simple text";
                        return Err(stop("key-not-text", message, "write a plain word before the colon", span));
                    };
                    let merge = plain && text == "<<";
                    *key = Some(if merge { Key::Merge } else { Key::Text(text, span) });
                }
                Some(Key::Merge) => merges.push(node),
                Some(Key::Text(text, key_span)) => {
                    if let Some(first) = standing(entries, seen, &text).and_then(|at| entries.get_mut(at)) {
                        let message = format!("the key `{text}` stands here a second time");
                        let mut flaw = Flaw::new("duplicate-key", message, "keep one of the two", key_span);
                        flaw.related = Some((first.key_span, "first here".to_owned()));
                        self.flaws.push(flaw);
                        // Where that is no error, the last one counts.
                        *first = Entry { key: text, key_span, value: node };
                    } else {
                        entries.push(Entry { key: text, key_span, value: node });
                    }
                }
            },
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, span: Span) -> Step {
        let Some(node) = self.anchors.get(&id) else {
            return Err(stop(
                "alias-unknown",
                "the alias stands inside the value that it names",
                "write the value out instead of using an alias",
                span,
            ));
        };
        let (size, depth) = node.measure(TEXT_UNIT);
        self.expand(size, span)?;
        if self.frames.len() + depth > self.limits.depth {
            let message = format!("with its aliases the document nests deeper than {} levels", self.limits.depth);
            return Err(stop("nested-too-deep", message, "flatten the document", span));
        }
        let Some(node) = self.anchors.get(&id).cloned() else {
            return Ok(());
        };
        self.complete(Node { span, ..node }, 0)
    }

    fn expand(&mut self, size: usize, span: Span) -> Step {
        self.expanded = self.expanded.saturating_add(size);
        if self.expanded > self.limits.expanded {
            let message =
                format!("anchors and aliases blow the document up by more than {} values", self.limits.expanded);
            return Err(stop("alias-budget", message, "write the values out instead of using aliases", span));
        }
        Ok(())
    }

    /// `<<`: what a mapping takes over from others, where it has no key of its own.
    fn merge(&mut self, entries: &mut Vec<Entry>, merges: Vec<Node>) -> Step {
        for merged in merges {
            let sources = match merged.kind {
                NodeKind::Sequence(items) => items,
                _ => vec![merged],
            };
            for source in sources {
                let NodeKind::Mapping(more) = source.kind else {
                    self.flaws.push(Flaw::new(
                        "merge-not-mapping",
                        "`<<` takes over the keys of a mapping, and this is none",
                        "name an alias of a mapping",
                        source.span,
                    ));
                    continue;
                };
                self.expand(more.len(), source.span)?;
                let mut own: HashSet<String> = entries.iter().map(|e| e.key.clone()).collect();
                entries.extend(more.into_iter().filter(|entry| own.insert(entry.key.clone())));
            }
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> NodeKind {
        let resolved = match tag {
            None if style == ScalarStyle::Plain => scalar::resolve(text),
            None => Ok(NodeKind::Text(text.to_owned())),
            Some(tag) if tag.is_yaml_core_schema() => tagged(&tag.suffix, text),
            // `!` alone says: not a plain scalar.
            Some(tag) if tag.suffix.is_empty() => Ok(NodeKind::Text(text.to_owned())),
            Some(tag) => {
                self.flaws.push(unknown_tag(tag, span));
                Ok(NodeKind::Text(text.to_owned()))
            }
        };
        resolved.unwrap_or_else(|message| {
            self.flaws.push(Flaw::new("value-not-json", message, "write it as text, in quotes", span));
            NodeKind::Null
        })
    }
}

fn tagged(suffix: &str, text: &str) -> Result<NodeKind, String> {
    let wrong = || Err(format!("`{text}` is not what its tag `!!{suffix}` says"));
    match (suffix, scalar::resolve(text)) {
        ("str", _) => Ok(NodeKind::Text(text.to_owned())),
        ("null", Ok(kind @ NodeKind::Null)) | ("bool", Ok(kind @ NodeKind::Bool(_))) => Ok(kind),
        ("int", Ok(NodeKind::Number(n, t))) if n.is_i64() || n.is_u64() => Ok(NodeKind::Number(n, t)),
        ("float", Ok(NodeKind::Number(n, t))) => Ok(NodeKind::Number(n, t)),
        ("null" | "bool" | "int" | "float", _) => wrong(),
        _ => Err(format!("the tag `!!{suffix}` has no meaning in a spec")),
    }
}

fn unknown_tag(tag: &Tag, span: Span) -> Flaw {
    Flaw::new("unknown-tag", format!("the tag `{tag}` has no meaning in a spec"), "remove the tag", span)
}

fn key_text(node: Node) -> Option<String> {
    match node.kind {
        NodeKind::Text(text) | NodeKind::Number(_, text) => Some(text),
        NodeKind::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

/// A mapping with fewer keys than this is looked through; for more there is an index.
const FEW: usize = 24;

/// Where a key stands among the entries. `index` follows them once they are many.
fn standing(entries: &[Entry], index: &mut HashMap<String, usize>, key: &str) -> Option<usize> {
    if entries.len() < FEW {
        return entries.iter().position(|entry| entry.key == key);
    }
    let known = index.len();
    index.extend(entries.iter().enumerate().skip(known).map(|(at, entry)| (entry.key.clone(), at)));
    index.get(key).copied()
}

fn unprintable(chunk: &Chunk<'_>) -> Option<Flaw> {
    let bad = |c: char| {
        (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    let (index, c) = chunk.text.chars().enumerate().find(|(_, c)| bad(*c))?;
    let message = format!("the character U+{:04X} can't stand in a spec", u32::from(c));
    Some(Flaw::new(
        "unprintable-character",
        message,
        "remove it; is this really a text file?",
        chunk.span(index, index + 1),
    ))
}

/// A flaw of the syntax in words for people who don't know the grammar.
fn syntax(chunk: &Chunk<'_>, error: &ScanError) -> Flaw {
    let at = error.marker();
    let span = chunk.span(at.index(), at.index() + 1);
    if let Some(tab) = chunk.indenting_tab(span.start) {
        return tab_indentation(Span::new(tab, tab + 1));
    }
    if error.info().contains("recursion limit") {
        return Flaw::new("nested-too-deep", "collections nest too deep", "flatten the document", span);
    }
    Flaw::new(
        "not-yaml",
        format!("this is not YAML: {}", error.info()),
        "check indentation, colons, brackets and quotes from here upwards",
        span,
    )
}

fn tab_indentation(span: Span) -> Flaw {
    Flaw::new("tab-indentation", "a tab indents this line", "YAML is indented with spaces: replace the tab", span)
}
