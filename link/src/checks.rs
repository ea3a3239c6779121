//! What a certificate and a hello have to say.

use crate::{Cause, Hello, Identity, Reason, Role};
use swarm_base::NodeName;

/// Why a session is refused: for the other side, and for this one.
pub(crate) type Refusal = (Reason, Cause);

/// Whether the certificate at the other end is of a member of `cluster`, and of who was dialled.
pub(crate) fn identity(
    cluster: &str,
    dialled: Option<&NodeName>,
    found: &Identity,
) -> Result<(), Refusal> {
    if found.cluster != cluster {
        let (ours, theirs) = (cluster.to_owned(), found.cluster.clone());
        return Err((Reason::WrongCluster, Cause::WrongCluster { ours, theirs }));
    }
    if found.role != Role::Member {
        return Err((Reason::WrongCertificate, Cause::WrongCertificate));
    }
    match dialled {
        Some(expected) if *expected != found.node => {
            let (expected, found) = (expected.clone(), found.node.clone());
            Err((Reason::WrongName, Cause::WrongName { expected, found }))
        }
        _ => Ok(()),
    }
}

/// Whether a hello fits the cluster and the certified name.
pub(crate) fn hello(cluster: &str, certified: &NodeName, hello: &Hello) -> Result<(), Refusal> {
    if hello.oldest > Hello::VERSION || hello.version < Hello::OLDEST {
        let ours = (Hello::OLDEST, Hello::VERSION);
        let why = Cause::Version { ours, theirs: (hello.oldest, hello.version) };
        return Err((Reason::Version, why));
    }
    if hello.cluster != cluster {
        let (ours, theirs) = (cluster.to_owned(), hello.cluster.clone());
        return Err((Reason::WrongCluster, Cause::WrongCluster { ours, theirs }));
    }
    if hello.node.name != *certified {
        let (expected, found) = (certified.clone(), hello.node.name.clone());
        return Err((Reason::WrongName, Cause::WrongName { expected, found }));
    }
    Ok(())
}
