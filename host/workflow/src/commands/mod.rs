//! What the program can be asked to do.
//!
//! ```text
//! validate(&Options, &dyn Reporter)                 -> ValidateOutcome
//! render(&Options, &dyn Reporter)                   -> RenderOutcome
//! preflight(&Options, &dyn Reporter)                -> PreflightOutcome
//! create(&Options, Arc<dyn Reporter>)               -> CreateOutcome
//! delete(&Options, name: Option<&str>, Arc<dyn Reporter>) -> DeleteOutcome
//! describe(&Options, name: &str, &dyn Reporter)     -> DescribeOutcome
//! get_clusters(&Options, &dyn Reporter)             -> Vec<ClusterSummary>
//! generate(&Options, provider: &str, name: &str)    -> GenerateOutcome
//! ```
//! All are async and fail with a [`crate::WorkflowError`].
