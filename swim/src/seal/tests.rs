//! Sealing and opening: what verifies, what is refused, what is replayed.

use super::*;
use crate::NullCipher;
use swarm_base::NodeName;

fn node(name: &str, millis: u64) -> NodeId {
    NodeId::new(NodeName::new(name).expect("a name"), Boot { millis, random: 1 })
}

fn secret(byte: u8) -> ClusterSecret {
    let bytes: [u8; 32] = std::array::from_fn(|at| byte.wrapping_add(at as u8));
    ClusterSecret::from_bytes(&bytes).expect("a secret")
}

fn seal(id: NodeId, cluster: &str, byte: u8) -> Seal {
    Seal::new(id, Keyring::new(cluster, secret(byte)), Box::new(NullCipher))
}

impl Seal {
    fn seal_bytes(&mut self, receiver: Boot, body: &[u8]) -> Vec<u8> {
        self.seal(receiver, body.len(), |packet| packet.extend(body))
    }
}

fn open(seal: &mut Seal, packet: &[u8]) -> Result<Vec<u8>, Refusal> {
    seal.open(Instant::START, &mut packet.to_vec()).map(|opened| opened.body.to_vec())
}

#[test]
fn what_is_sealed_opens_once() {
    let (mut a, mut b) = (seal(node("a", 1), "c", 1), seal(node("b", 2), "c", 1));
    let packet = a.seal_bytes(node("b", 2).boot, b"hello");
    assert_eq!(open(&mut b, &packet), Ok(b"hello".to_vec()));
    assert_eq!(open(&mut b, &packet), Err(Refusal::Replay));
    let packet = a.seal_bytes(Boot::default(), b"whoever you are");
    assert_eq!(open(&mut b, &packet), Ok(b"whoever you are".to_vec()));
}

#[test]
fn a_stranger_is_refused_by_reason() {
    let mut b = seal(node("b", 2), "c", 1);
    let to_b = node("b", 2).boot;
    let mut check = |packet: &[u8], refusal| assert_eq!(open(&mut b, packet), Err(refusal));
    check(&seal(node("a", 1), "other", 1).seal_bytes(to_b, b"x"), Refusal::Cluster);
    check(&seal(node("a", 1), "c", 2).seal_bytes(to_b, b"x"), Refusal::Key);
    check(&seal(node("a", 1), "c", 1).seal_bytes(node("b", 3).boot, b"x"), Refusal::Receiver);
    check(&[0; PACKET_LEN_MAX + 1], Refusal::Oversized);
    check(&[], Refusal::Header);
    check(&[1; 20], Refusal::Header);
}

#[test]
fn every_damaged_byte_and_every_truncation_is_refused() {
    let (mut a, mut b) = (seal(node("a", 1), "c", 1), seal(node("b", 2), "c", 1));
    let packet = a.seal_bytes(node("b", 2).boot, b"hello");
    for at in 0..packet.len() {
        let mut damaged = packet.clone();
        damaged[at] ^= 1;
        assert!(open(&mut b, &damaged).is_err(), "byte {at}");
        assert!(open(&mut b, &packet[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(open(&mut b, &packet), Ok(b"hello".to_vec()), "the window did not move");
}

#[test]
fn secrets_change_without_a_stop() {
    let both =
        |first, second| Keyring::new("c", secret(first)).with(secret(second)).expect("two of four");
    let (mut a, mut b) = (seal(node("a", 1), "c", 1), seal(node("b", 2), "c", 1));
    let exchange = |a: &mut Seal, b: &mut Seal| {
        let there = a.seal_bytes(node("b", 2).boot, b"there");
        assert_eq!(open(b, &there), Ok(b"there".to_vec()));
        let back = b.seal_bytes(node("a", 1).boot, b"back");
        assert_eq!(open(a, &back), Ok(b"back".to_vec()));
    };
    exchange(&mut a, &mut b);
    let steps = [both(1, 2), both(2, 1), Keyring::new("c", secret(2))];
    for step in steps {
        a.set_keyring(step.clone());
        exchange(&mut a, &mut b);
        b.set_keyring(step);
        exchange(&mut a, &mut b);
    }
    let old = seal(node("z", 1), "c", 1).seal_bytes(node("b", 2).boot, b"x");
    assert_eq!(open(&mut b, &old), Err(Refusal::Key));
}

#[test]
fn a_keyring_has_at_most_four_keys() {
    let four = (2..=4).try_fold(Keyring::new("c", secret(1)), |k, byte| k.with(secret(byte)));
    let four = four.expect("four keys");
    assert!(four.clone().with(secret(4)).is_ok(), "it is there already");
    assert!(four.with(secret(5)).is_err());
}
