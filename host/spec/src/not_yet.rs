//! Fields that are understood but not honoured yet.

use crate::defaulted::DefaultedSpec;
use crate::finding::Finding;

pub(crate) fn findings(_spec: &DefaultedSpec) -> Vec<Finding> {
    Vec::new()
}
