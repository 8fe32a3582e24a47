//! What a provider plugin is written against.
