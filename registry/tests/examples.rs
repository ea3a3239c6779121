//! The example over channels: every node learns every name.

use std::process::Command;

#[test]
fn the_example_over_channels_tells_every_node_every_name() {
    let run = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "swarm-registry", "--example", "channels"])
        .output()
        .expect("cargo runs");
    let text = String::from_utf8(run.stdout).expect("text");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    for (node, other) in (1..=3).flat_map(|node| (1..=3).map(move |other| (node, other))) {
        let line = format!("n{node}: device-of-n{other} is Some(");
        assert!(text.contains(&line), "no {line:?} in {text}");
    }
}
