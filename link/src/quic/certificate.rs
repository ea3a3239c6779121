//! Reading who holds a certificate.
//!
//! TLS has parsed the certificate and verified its chain by then, but shows nothing of its
//! alternative names. So this walks down to them: X.509 (RFC 5280 §4.1) in DER, where everything is
//! a tag, a length and a content. Whatever does not fit is no identity.

use crate::Identity;

/// The one identity among the certificate's alternative names.
pub(super) fn identity(certificate: &[u8]) -> Option<Identity> {
    let mut uris = alternative_names(certificate)?
        .filter(|(tag, _)| *tag == URI)
        .filter_map(|(_, uri)| std::str::from_utf8(uri).ok())
        .filter(|uri| uri.starts_with("swarm:"));
    // Two would let a node choose who it is, session by session.
    match (uris.next(), uris.next()) {
        (Some(uri), None) => Identity::from_uri(uri),
        _ => None,
    }
}

fn alternative_names(certificate: &[u8]) -> Option<Elements<'_>> {
    let signed = Elements(certificate).content(SEQUENCE)?;
    let body = Elements(signed).content(SEQUENCE)?;
    let extensions = Elements(body).find(|(tag, _)| *tag == EXTENSIONS)?.1;
    Elements(Elements(extensions).content(SEQUENCE)?).find_map(|(_, extension)| {
        let mut parts = Elements(extension);
        if parts.content(OBJECT_ID)? != SUBJECT_ALT_NAME {
            return None;
        }
        // A flag, whether the extension is critical, may stand in between.
        let value = parts.find(|(tag, _)| *tag == OCTET_STRING)?.1;
        Some(Elements(Elements(value).content(SEQUENCE)?))
    })
}

/// The elements that follow each other in some bytes, as (tag, content). Ends at the first that is
/// malformed.
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// The content of the next element, if it has this tag.
    fn content(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [tag, length, rest @ ..] = self.0 else { return None };
        let (len, rest) = match length {
            0..=0x7f => (usize::from(*length), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
                (digits.iter().fold(0, |len, byte| (len << 8) | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

const OBJECT_ID: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// `[3] EXPLICIT` in the body.
const EXTENSIONS: u8 = 0xa3;
/// `[6] IMPLICIT` in a general name.
const URI: u8 = 0x86;
/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SanType};
    use swarm_base::{NodeName, Rng};

    fn certificate(uris: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(["example.org".to_owned()]).expect("a DNS name");
        let uri = |uri: &&str| SanType::URI((*uri).try_into().expect("ASCII"));
        params.subject_alt_names.extend(uris.iter().map(uri));
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("signed").der().to_vec()
    }

    #[test]
    fn the_one_identity_is_found_among_other_names() {
        let found = identity(&certificate(&["spiffe://x/y", "swarm://blue/node/a"]));
        assert_eq!(found, Some(Identity::member("blue", NodeName::new("a").expect("a name"))));
    }

    #[test]
    fn none_or_two_are_no_identity() {
        assert_eq!(identity(&certificate(&[])), None);
        assert_eq!(identity(&certificate(&["https://blue/node/a"])), None);
        assert_eq!(identity(&certificate(&["swarm://blue/node/a", "swarm://blue/node/b"])), None);
    }

    #[test]
    fn no_bytes_panic() {
        let whole = certificate(&["swarm://blue/node/a"]);
        for len in 0..whole.len() {
            identity(&whole[..len]);
        }
        let seed = 11;
        let mut rng = Rng::new(seed);
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.next_u64() as u8;
            identity(&bytes);
        }
    }
}
