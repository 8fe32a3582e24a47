//! The parameters of a URL.

use crate::kube::error::{ApiError, Cause, Reason};
use crate::kube::selector::{FieldSelector, LabelSelector};
use crate::kube::store::FieldValidation;

/// The parameters behind the question mark.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        Self { pairs: url::form_urlencoded::parse(text.as_bytes()).into_owned().collect() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value, "true" | "1" | "True" | "TRUE"))
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.get(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    ApiError::bad_request(format!(
                        "strconv.ParseUint: parsing {text:?}: invalid syntax: `{name}` has to be a number"
                    ))
                })
            })
            .transpose()
    }

    pub(crate) fn labels(&self) -> Result<LabelSelector, ApiError> {
        self.get("labelSelector").map_or_else(
            || Ok(LabelSelector::everything()),
            |text| LabelSelector::parse(text).map_err(|error| ApiError::bad_request(error.to_string())),
        )
    }

    pub(crate) fn fields(&self) -> Result<FieldSelector, ApiError> {
        FieldSelector::parse(self.get("fieldSelector").unwrap_or_default())
            .map_err(|error| ApiError::bad_request(error.to_string()))
    }

    pub(crate) fn dry_run(&self) -> Result<bool, ApiError> {
        match self.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => {
                Err(invalid_option("dryRun", &format!("Unsupported value: {other:?}: supported values: \"All\"")))
            }
        }
    }

    pub(crate) fn validation(&self) -> Result<FieldValidation, ApiError> {
        match self.get("fieldValidation") {
            None | Some("Warn") => Ok(FieldValidation::Warn),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some(other) => Err(invalid_option(
                "fieldValidation",
                &format!("Unsupported value: {other:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""),
            )),
        }
    }
}

/// An option of the request that is wrong.
pub(crate) fn invalid_option(field: &str, message: &str) -> ApiError {
    let mut error = ApiError::new(
        Reason::Invalid,
        format!("PatchOptions.meta.k8s.io \"\" is invalid: {field}: {message}"),
    )
    .about("meta.k8s.io", "PatchOptions", "");
    error.causes.push(Cause {
        reason: "FieldValueInvalid".to_owned(),
        message: message.to_owned(),
        field: field.to_owned(),
    });
    error
}
