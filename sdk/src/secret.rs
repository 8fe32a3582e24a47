//! References to secrets: a plugin never sees a value.

use crate::Encoding;

/// The text that stands for a secret in a value of `stringData` of a Secret object. The host puts the value in when it
/// applies the object and nowhere else.
pub fn reference(name: &str, encoding: &Encoding) -> String {
    let encoding = match encoding {
        Encoding::Plain => return plain(name),
        Encoding::Xml => "xml",
        Encoding::Json => "json",
        Encoding::Base64 => "base64",
        Encoding::Other(other) => other,
    };
    format!("${{kedge.secret/{name}|{encoding}}}")
}

/// The text that stands for a secret's value as it is.
pub fn plain(name: &str) -> String {
    format!("${{kedge.secret/{name}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_their_encoding() {
        assert_eq!(plain("password"), "${kedge.secret/password}");
        assert_eq!(reference("password", &Encoding::Plain), "${kedge.secret/password}");
        assert_eq!(reference("password", &Encoding::Json), "${kedge.secret/password|json}");
    }
}
