//! Facts, batches, snapshots and all else that registries say to each other, into two replicas:
//! they show the same, however the facts were batched.

#![no_main]

use libfuzzer_sys::fuzz_target;
use swarm_fuzz::{Line, Replicas, Script};

fuzz_target!(|input: &[u8]| {
    let mut replicas = Replicas::new();
    for line in Script::new(input) {
        match line {
            Line::Raw(fact) => replicas.write(fact),
            Line::Sealed { by, body, .. } => replicas.send(by, body),
            Line::Wait(time) | Line::Pause(time) => replicas.wait(time),
        }
    }
    replicas.flush();
});
