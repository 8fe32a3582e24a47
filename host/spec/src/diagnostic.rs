//! Findings with their place in a file, ready to be shown.

use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic as _, LabeledSpan, NamedSource, SourceCode};

use crate::finding::{Finding, Severity};
use crate::source::{Source, Span};

/// How many bytes a line may have to be shown. A longer one is no help, and takes its time.
const SHOWN_LINE: usize = 4096;

/// A finding with its place in the file.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// What there is to say.
    pub finding: Finding,
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// From 1.
    pub end_line: usize,
    /// From 1, in characters; the column after the last character.
    pub end_column: usize,
    /// The place in bytes; none for the file as a whole.
    pub span: Option<Span>,
    /// Another place that belongs to it, with what it is.
    pub related: Option<(Span, String)>,
    source: Arc<NamedSource<Arc<str>>>,
    /// Whether the text around the place is short enough to be shown.
    shown: bool,
}

impl Diagnostic {
    /// A finding at a place of a source, or about all of it.
    pub fn new(finding: Finding, source: &Source, span: Option<Span>) -> Self {
        Self::shared(finding, source, &shared_source(source), span)
    }

    pub(crate) fn shared(
        finding: Finding,
        source: &Source,
        shared: &Arc<NamedSource<Arc<str>>>,
        span: Option<Span>,
    ) -> Self {
        let place = span.unwrap_or_default();
        let (line, column) = source.position(place.start);
        let (end_line, end_column) = source.position(place.end);
        Self {
            finding,
            file: source.name.clone(),
            line,
            column,
            end_line,
            end_column,
            span,
            related: None,
            source: Arc::clone(shared),
            shown: span.is_some_and(|place| line_length(&source.text, place.start) <= SHOWN_LINE),
        }
    }

    /// As `-o json` and `-o yaml` show it: the finding with `file`, `line`, `column`, `endLine` and `endColumn`.
    pub fn to_json(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(&self.finding).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.insert("file".to_owned(), self.file.as_str().into());
            if self.span.is_some() {
                let places = [
                    ("line", self.line),
                    ("column", self.column),
                    ("endLine", self.end_line),
                    ("endColumn", self.end_column),
                ];
                object.extend(places.map(|(name, number)| (name.to_owned(), number.into())));
            }
        }
        value
    }

    /// Whether it makes the spec unusable.
    pub fn is_error(&self) -> bool {
        self.finding.severity == Severity::Error
    }
}

/// The bytes of the line that a place is in.
fn line_length(text: &str, place: usize) -> usize {
    let bytes = text.as_bytes();
    let (before, after) = bytes.split_at(place.min(bytes.len()));
    let start = before.iter().rev().position(|b| *b == b'\n').unwrap_or(before.len());
    let end = after.iter().position(|b| *b == b'\n').unwrap_or(after.len());
    start + end
}

pub(crate) fn shared_source(source: &Source) -> Arc<NamedSource<Arc<str>>> {
    Arc::new(NamedSource::new(&source.name, Arc::clone(&source.text)).with_language("YAML"))
}

/// The message: place, code and remedy are shown by the reporter. A place whose text is not shown is said here.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.finding.message)?;
        if self.span.is_some() && !self.shown {
            write!(f, " ({}:{}:{})", self.file, self.line, self.column)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.finding.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        if self.finding.remedy.is_empty() { None } else { Some(Box::new(&self.finding.remedy)) }
    }

    fn url<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.link.as_ref().map(|link| Box::new(link) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.shown.then(|| self.source.as_ref() as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span.filter(|_| self.shown)?;
        let text = if self.finding.path.is_empty() { "here".to_owned() } else { self.finding.path.clone() };
        let first = LabeledSpan::new_primary_with_span(Some(text), (span.start, span.len()));
        let second = self.related.as_ref().map(|(at, label)| LabeledSpan::new(Some(label.clone()), at.start, at.len()));
        Some(Box::new(std::iter::once(first).chain(second)))
    }
}

/// A file that can't be used, with everything that is wrong with it.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// The file.
    pub source: Source,
    /// All that is wrong, in the order of the file. Warnings may be among them; at least one is an error.
    pub diagnostics: Vec<Diagnostic>,
}

impl Rejected {
    /// The findings without their places.
    pub fn findings(&self) -> Vec<Finding> {
        self.diagnostics.iter().map(|d| d.finding.clone()).collect()
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.diagnostics.iter().filter(|d| d.is_error()).count();
        let plural = if errors == 1 { "error" } else { "errors" };
        write!(f, "`{}` can't be used: {errors} {plural}", self.source.name)?;
        for d in &self.diagnostics {
            write!(f, "\n{}:{}:{}: {} [{}]", d.file, d.line, d.column, d.finding.message, d.finding.code)?;
        }
        Ok(())
    }
}

impl std::error::Error for Rejected {}

impl miette::Diagnostic for Rejected {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        Some(Box::new(self.diagnostics.iter().map(|d| d as &dyn miette::Diagnostic)))
    }

    fn severity(&self) -> Option<miette::Severity> {
        self.diagnostics.iter().filter_map(miette::Diagnostic::severity).max()
    }
}

/// Sorts by place, then by code, and drops what is said twice.
pub(crate) fn sorted(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by(|a, b| {
        (a.span.map(|s| s.start), &a.finding.code, &a.finding.path).cmp(&(
            b.span.map(|s| s.start),
            &b.finding.code,
            &b.finding.path,
        ))
    });
    diagnostics.dedup_by(|a, b| a.finding == b.finding && a.span == b.span);
    debug_assert!(diagnostics.iter().all(|d| d.code().is_some()));
    diagnostics
}
