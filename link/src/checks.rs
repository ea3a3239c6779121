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

/// The first setting in which the two nodes differ.
pub(crate) fn settings(
    ours: &[(String, String)],
    theirs: &[(String, String)],
) -> Result<(), Refusal> {
    let value = |of: &[(String, String)], setting: &str| {
        of.iter().find(|(name, _)| name == setting).map(|(_, value)| value.clone())
    };
    // One that the other has and this node has not counts as much. What it says is not trusted:
    // more of them than any release has are not compared.
    let all = ours.iter().chain(theirs.iter().take(SETTINGS_MAX));
    for (setting, _) in all {
        let (here, there) = (value(ours, setting), value(theirs, setting));
        if setting.starts_with(SCOPED) && (here.is_none() || there.is_none()) {
            continue;
        }
        if here != there {
            let or_not = |value: Option<String>| value.unwrap_or_else(|| "not set".to_owned());
            let (here, there) = (or_not(here), or_not(there));
            let setting = setting.clone();
            return Err((Reason::Settings, Cause::Settings { setting, here, there }));
        }
    }
    Ok(())
}

/// What the names of settings begin with that count only where both nodes have them: those of a
/// scope, which not every node declares.
pub const SCOPED: &str = "scope ";

/// The most settings of a hello that are looked at.
const SETTINGS_MAX: usize = 256;

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
