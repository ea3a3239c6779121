//! Who this node is, and whom it believes.

use super::verify::ClusterVerifier;
use crate::Identity;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SanType,
};
use ring::hkdf;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use std::fmt;
use std::sync::Arc;
use swarm_base::{ClusterSecret, NodeName};

/// A node's certificate and key, and the authority whose certificates it accepts.
///
/// Its `Debug` shows no key.
pub struct Credentials {
    identity: Identity,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    reset_key: [u8; 32],
}

impl Credentials {
    /// The credentials of `node` in a cluster that shares `secret`.
    ///
    /// The secret yields an Ed25519 authority, the same on every node, and this node issues its own
    /// certificate: encryption without a PKI. Whoever holds the secret is trusted as any node. The
    /// name of the cluster is in the certificate only, so that two clusters that share a secret by
    /// mistake are told apart from two secrets.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] where the certificate cannot be made.
    pub fn from_secret(
        secret: &ClusterSecret,
        cluster: &str,
        node: &NodeName,
    ) -> Result<Self, CredentialsError> {
        Self::issue(secret, Identity::member(cluster, node.clone()))
    }

    /// Issues the certificate of `identity`.
    pub(super) fn issue(
        secret: &ClusterSecret,
        identity: Identity,
    ) -> Result<Self, CredentialsError> {
        let secrets =
            hkdf::Salt::new(hkdf::HKDF_SHA256, b"swarm link v1").extract(secret.as_bytes());
        let authority = ed25519(&derive(&secrets, &[b"authority"]))?;
        let issuer = authority_params(&authority);
        let root = issuer.self_signed(&authority)?;
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone())?;

        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let certificate =
            member_params(&identity)?.signed_by(&key, &Issuer::new(issuer, authority))?;
        Ok(Self {
            roots: Arc::new(roots),
            chain: vec![certificate.der().clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            reset_key: derive(&secrets, &[b"reset ", identity.to_uri().as_bytes()]),
            identity,
        })
    }

    /// What the certificate says.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The key of the tokens that tell a peer that its connection is unknown here. It outlives the
    /// process: so a peer of its old life learns of the restart at the next packet, not after the
    /// idle timeout.
    pub(super) const fn reset_key(&self) -> &[u8; 32] {
        &self.reset_key
    }

    #[cfg(test)]
    pub(super) fn roots(&self) -> Arc<RootCertStore> {
        self.roots.clone()
    }

    /// The side that accepts.
    pub(super) fn server(&self) -> Result<QuicServerConfig, CredentialsError> {
        let provider = provider();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(self.roots.clone(), provider.clone())
                .clear_root_hint_subjects()
                .build()
                .map_err(|e| CredentialsError::Tls { reason: e.to_string() })?;
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        tls.alpn_protocols = vec![ALPN.to_vec()];
        // No resumption: every session verifies a certificate, and 0-RTT data could be replayed.
        tls.send_tls13_tickets = 0;
        tls.max_early_data_size = 0;
        QuicServerConfig::try_from(tls).map_err(|e| CredentialsError::Tls { reason: e.to_string() })
    }

    /// The side that dials.
    pub(super) fn client(&self) -> Result<QuicClientConfig, CredentialsError> {
        let provider = provider();
        let verifier = ClusterVerifier::new(self.roots.clone(), &provider);
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        tls.alpn_protocols = vec![ALPN.to_vec()];
        tls.resumption = rustls::client::Resumption::disabled();
        QuicClientConfig::try_from(tls).map_err(|e| CredentialsError::Tls { reason: e.to_string() })
    }
}

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A certificate cannot be made.
    #[error("the certificate cannot be made: {reason}")]
    Certificate {
        /// What the certificate library said.
        reason: String,
    },
    /// TLS takes no such certificate or key.
    #[error("the certificate or its key cannot be used: {reason}")]
    Tls {
        /// What the TLS library said.
        reason: String,
    },
}

impl From<rcgen::Error> for CredentialsError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate { reason: error.to_string() }
    }
}

impl From<rustls::Error> for CredentialsError {
    fn from(error: rustls::Error) -> Self {
        Self::Tls { reason: error.to_string() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Passed explicitly wherever TLS wants one: a provider that is installed for the whole process
/// would collide with the application's.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn derive(secrets: &hkdf::Prk, info: &[&[u8]]) -> [u8; 32] {
    let mut key = [0; 32];
    secrets
        .expand(info, hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .expect("32 bytes are the length of HKDF_SHA256");
    key
}

/// The key pair of a seed, as PKCS#8 v1 (RFC 8410 §7): a fixed prefix and the seed.
fn ed25519(seed: &[u8; 32]) -> Result<KeyPair, rcgen::Error> {
    const PREFIX: [u8; 16] =
        [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let pkcs8 = [&PREFIX[..], seed].concat();
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8), &PKCS_ED25519)
}

/// The authority's subject names its key, so that a certificate of another secret is of an unknown
/// issuer, and not a forged one of this.
fn authority_params(key: &KeyPair) -> CertificateParams {
    let id: String = key.der_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("swarm authority {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// Valid without end: an expiry would protect nothing from someone who can issue the next one, and
/// would tie the cluster to the clocks.
fn member_params(identity: &Identity) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("swarm node");
    params.subject_alt_names = vec![SanType::URI(identity.to_uri().try_into()?)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

const ALPN: &[u8] = b"swarm/1";

#[cfg(test)]
mod tests {
    use super::super::certificate;
    use super::*;

    fn node(name: &str) -> NodeName {
        NodeName::new(name).expect("a name")
    }

    fn subjects(credentials: &Credentials) -> Vec<u8> {
        let root = &credentials.roots.roots[0];
        [root.subject.as_ref(), root.subject_public_key_info.as_ref()].concat()
    }

    #[test]
    fn a_secret_is_an_authority() {
        let make = |byte, name| {
            let mut bytes = [7; 32];
            bytes[0] = byte;
            let secret = ClusterSecret::from_bytes(&bytes).expect("a secret");
            Credentials::from_secret(&secret, "blue", &node(name)).expect("credentials")
        };
        let (a, b, other) = (make(1, "a"), make(1, "b"), make(2, "a"));
        assert_eq!(subjects(&a), subjects(&b));
        assert_ne!(subjects(&a), subjects(&other));
        assert_eq!(a.reset_key(), make(1, "a").reset_key(), "a restarted node keeps it");
        assert_ne!(a.reset_key(), b.reset_key());
        assert!(!format!("{a:?}").contains("key"));
    }

    #[test]
    fn the_certificate_says_who_holds_it() {
        for (cluster, name) in [("blue", "a"), ("a b/c", "myapp-1@host"), ("", "ü%")] {
            let secret = ClusterSecret::generate();
            let credentials =
                Credentials::from_secret(&secret, cluster, &node(name)).expect("credentials");
            let found = certificate::identity(&credentials.chain[0]);
            assert_eq!(found, Some(Identity::member(cluster, node(name))));
        }
    }
}
