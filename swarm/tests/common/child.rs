//! A node in a process of its own: this very test program, started once more.

use super::{Other, Probe, Purse};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use swarm::{ClusterSecret, Swarm};

/// A process that runs a node. It is killed when this is dropped.
pub(crate) struct Child(std::process::Child);

/// The test that is a node when this is set. It names node, seed and secret.
const AS_NODE: &str = "SWARM_TEST_AS_NODE";

impl Child {
    /// Starts a process with a node, which runs when this returns. The test program must have a
    /// test `node_process` that calls [`run_as_node`].
    pub(crate) fn start(name: &str, secret: &ClusterSecret, seed: SocketAddr) -> Self {
        let folder = std::env::temp_dir();
        let file = folder.join(format!("swarm-test-{}-{name}-{}", std::process::id(), seed.port()));
        secret.to_file(&file).expect("the secret is written");
        let program = std::env::current_exe().expect("the test program is known");
        let mut child = Command::new(program)
            .args(["--exact", "node_process", "--ignored", "--nocapture"])
            .env(AS_NODE, format!("{name} {seed} {}", file.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the process starts");
        let lines = BufReader::new(child.stdout.take().expect("its output is piped"));
        let child = Self(child);
        let ready = lines.lines().map_while(Result::ok).any(|line| line.contains("node runs"));
        let _ = std::fs::remove_file(&file);
        assert!(ready, "the process ended before its node ran");
        child
    }

    /// Freezes it: its sockets take what comes, and nothing is answered.
    pub(crate) fn freeze(&self) {
        let pid = self.0.id().to_string();
        let status = Command::new("kill").args(["-STOP", &pid]).status().expect("there is `kill`");
        assert!(status.success(), "process {pid} is frozen");
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub(crate) fn thaw(&self) {
        let pid = self.0.id().to_string();
        let status = Command::new("kill").args(["-CONT", &pid]).status().expect("there is `kill`");
        assert!(status.success(), "process {pid} goes on");
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("it is killed");
        self.0.wait().expect("it has ended");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the node that [`Child::start`] asked for, until whoever started it ends.
pub(crate) fn run_as_node() {
    let Ok(order) = std::env::var(AS_NODE) else { return };
    let [name, seed, file] = order.splitn(3, ' ').collect::<Vec<_>>()[..] else {
        panic!("not an order: {order}");
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let node: Swarm = runtime
        .block_on(
            Swarm::builder(name)
                .secret(ClusterSecret::from_file(file).expect("the secret is read"))
                .seeds([seed])
                .worker::<Probe>()
                .worker::<Other>()
                .worker::<Purse>()
                .start(),
        )
        .expect("the node starts");
    println!("node runs at {}", node.local_addr());
    // Ends with its parent, whatever becomes of that.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
