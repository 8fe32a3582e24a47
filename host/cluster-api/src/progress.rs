//! Where waits say what they wait for.

/// Hears what is awaited while it is awaited.
pub trait Progress: Send + Sync {
    /// `object` is awaited, for example `KubeadmControlPlane eksa-system/prod`; `sentence` says what of it and how far
    /// it is. Called when the sentence changes.
    fn waiting(&self, object: &str, sentence: &str);

    /// Something worth a line that is not a wait.
    fn note(&self, sentence: &str);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn waiting(&self, _object: &str, _sentence: &str) {}
    fn note(&self, _sentence: &str) {}
}
