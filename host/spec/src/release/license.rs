//! The licence token for Kubernetes versions that are out of standard support.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;

use super::signature::PublicKey;

/// What a token says, as far as it was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// Until when it holds, RFC 3339.
    pub until: String,
    /// Whether its signature was checked against a key.
    pub verified: bool,
}

/// Why a token can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LicenseError {
    /// It is no token at all.
    #[error("it is not a licence token: {0}")]
    Malformed(&'static str),
    /// Somebody else signed it, or it was changed.
    #[error("its signature is not that of the licence key")]
    Signature,
    /// It is over.
    #[error("it ended on {0}")]
    Ended(String),
}

impl License {
    /// Reads a token: a JWT that is signed with ECDSA over P-256 and whose claim `endValidity` is a time in RFC 3339.
    /// `today` is `YYYY-MM-DD` in UTC; a token holds to the end of its last day, as upstream counts it.
    ///
    /// # Errors
    /// When it is malformed, over, or not signed with the key.
    pub fn read(token: &str, key: Option<&PublicKey>, today: &str) -> Result<Self, LicenseError> {
        let mut parts = token.trim().split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(LicenseError::Malformed("it does not have three parts"));
        };
        let json = |part: &str| BASE64.decode(part).ok().and_then(|b| serde_json::from_slice::<Value>(&b).ok());
        let head = json(header).ok_or(LicenseError::Malformed("its header is not JSON in base64"))?;
        if head.get("alg").and_then(Value::as_str) != Some("ES256") {
            return Err(LicenseError::Malformed("it is not signed with ES256"));
        }
        let said = json(claims).ok_or(LicenseError::Malformed("its claims are not JSON in base64"))?;
        let signature = BASE64.decode(signature).map_err(|_| LicenseError::Malformed("its signature is not base64"))?;
        if let Some(key) = key
            && !key.verifies_fixed(format!("{header}.{claims}").as_bytes(), &signature)
        {
            return Err(LicenseError::Signature);
        }
        let until = said.get("endValidity").and_then(Value::as_str);
        let until = until.ok_or(LicenseError::Malformed("it does not say how long it holds (`endValidity`)"))?;
        let day = day_of(until).ok_or(LicenseError::Malformed("its `endValidity` is not a time in RFC 3339"))?;
        if day < today {
            return Err(LicenseError::Ended(day.to_owned()));
        }
        Ok(Self { until: until.to_owned(), verified: key.is_some() })
    }
}

/// The day of a time in RFC 3339. The hours of another zone than UTC are not counted: a day more or less is no reason to
/// refuse a licence.
fn day_of(time: &str) -> Option<&str> {
    let (day, rest) = time.split_once('T')?;
    is_day(day).then_some(day).filter(|_| rest.len() >= 9)
}

/// Whether a text is `YYYY-MM-DD`: such texts compare as the days do.
pub(super) fn is_day(text: &str) -> bool {
    let shape = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    shape && text.len() == 10
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

    use super::*;

    struct Issuer(EcdsaKeyPair);

    impl Issuer {
        fn new() -> Self {
            let random = SystemRandom::new();
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap())
        }

        fn key(&self) -> PublicKey {
            let mut der = vec![
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
                0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
            ];
            der.extend_from_slice(self.0.public_key().as_ref());
            PublicKey::parse(&base64::engine::general_purpose::STANDARD.encode(der)).unwrap()
        }

        fn token(&self, header: &str, claims: &str) -> String {
            let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
            let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            format!("{signed}.{}", BASE64.encode(signature))
        }
    }

    const HEAD: &str = r#"{"alg":"ES256","typ":"JWT"}"#;

    #[test]
    fn a_token_holds_to_the_end_of_its_last_day() {
        let issuer = Issuer::new();
        let token = issuer.token(HEAD, r#"{"endValidity":"2026-05-04T10:00:00Z"}"#);
        let license = License::read(&token, Some(&issuer.key()), "2026-05-04").unwrap();
        assert_eq!(license, License { until: "2026-05-04T10:00:00Z".into(), verified: true });
        assert!(!License::read(&token, None, "2026-05-03").unwrap().verified);
        assert_eq!(License::read(&token, None, "2026-05-05"), Err(LicenseError::Ended("2026-05-04".into())));
    }

    #[test]
    fn a_token_of_somebody_else_or_with_other_claims_is_refused() {
        let (issuer, other) = (Issuer::new(), Issuer::new());
        let token = issuer.token(HEAD, r#"{"endValidity":"2030-01-01T00:00:00Z"}"#);
        assert_eq!(License::read(&token, Some(&other.key()), "2026-01-01"), Err(LicenseError::Signature));
        let longer = BASE64.encode(r#"{"endValidity":"2040-01-01T00:00:00Z"}"#);
        let mut parts: Vec<&str> = token.split('.').collect();
        parts[1] = &longer;
        assert_eq!(License::read(&parts.join("."), Some(&issuer.key()), "2026-01-01"), Err(LicenseError::Signature));
    }

    #[test]
    fn what_is_no_token_is_told_from_one_that_is_over() {
        let issuer = Issuer::new();
        let cases = [
            ("nonsense".to_owned(), "three parts"),
            ("a.b.c.d".to_owned(), "three parts"),
            ("!.b.c".to_owned(), "header"),
            (issuer.token(r#"{"alg":"none"}"#, "{}"), "ES256"),
            (issuer.token(HEAD, "[1"), "claims"),
            (issuer.token(HEAD, "{}"), "endValidity"),
            (issuer.token(HEAD, r#"{"endValidity":"tomorrow"}"#), "RFC 3339"),
            (issuer.token(HEAD, r#"{"endValidity":"2026-13"}"#), "RFC 3339"),
        ];
        for (token, expected) in cases {
            let error = License::read(&token, None, "2026-01-01").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
