//! The points of all nodes on the ring, in order, with an index that finds a place among them in
//! constant time.

/// A sorted array of points and, over it, a table that says for the first bits of a hash where to
/// look: points are hashes themselves, so they spread evenly and a bucket holds about one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Points {
    sorted: Vec<Point>,
    /// For each bucket the index of its first point, and at the end the number of points.
    starts: Vec<u32>,
    /// How far to shift a hash so that its bucket remains.
    shift: u32,
}

/// A point and the number of its node. The derived order lets equal points go to the smaller node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub(crate) at: u64,
    pub(crate) node: u32,
}

impl Points {
    /// Makes `node` the owner of points at `places`; the nodes from this number on move up by one.
    pub(crate) fn insert(&mut self, node: u32, places: impl Iterator<Item = u64>) {
        let mut new: Vec<Point> = places.map(|at| Point { at, node }).collect();
        new.sort_unstable();
        for point in &mut self.sorted {
            point.node += u32::from(point.node >= node);
        }
        self.sorted = merge(&self.sorted, &new);
        self.index();
    }

    /// Takes away the points of `node`; the nodes above this number move down by one.
    pub(crate) fn remove(&mut self, node: u32) {
        self.sorted.retain(|point| point.node != node);
        for point in &mut self.sorted {
            point.node -= u32::from(point.node > node);
        }
        self.index();
    }

    /// The points from `hash` on, once around the ring.
    pub(crate) fn from(&self, hash: u64) -> impl Iterator<Item = Point> {
        let (before, after) = self.sorted.split_at(self.find(hash));
        after.iter().chain(before).copied()
    }

    /// The node of the first point from `hash` on.
    pub(crate) fn owner(&self, hash: u64) -> Option<u32> {
        let at = self.find(hash);
        self.sorted.get(at).or_else(|| self.sorted.first()).map(|point| point.node)
    }

    /// All points in order.
    pub(crate) fn as_slice(&self) -> &[Point] {
        &self.sorted
    }

    /// How many points lie below `hash`.
    fn find(&self, hash: u64) -> usize {
        if self.sorted.is_empty() {
            return 0;
        }
        let bucket = (hash >> self.shift) as usize;
        let (start, end) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        // Where all of the bucket lies below, `end` is the first point of the buckets after it.
        start + self.sorted[start..end].partition_point(|point| point.at < hash)
    }

    fn index(&mut self) {
        let n_buckets = self.sorted.len().next_power_of_two().max(2);
        self.shift = u64::BITS - n_buckets.trailing_zeros();
        self.starts.clear();
        for (index, point) in self.sorted.iter().enumerate() {
            let bucket = (point.at >> self.shift) as usize;
            if self.starts.len() <= bucket {
                self.starts.resize(bucket + 1, to_u32(index));
            }
        }
        self.starts.resize(n_buckets + 1, to_u32(self.sorted.len()));
    }
}

fn merge(old: &[Point], new: &[Point]) -> Vec<Point> {
    let mut merged = Vec::with_capacity(old.len() + new.len());
    let mut rest = old;
    for point in new {
        let (below, above) = rest.split_at(rest.partition_point(|old| old < point));
        merged.extend_from_slice(below);
        merged.push(*point);
        rest = above;
    }
    merged.extend_from_slice(rest);
    merged
}

fn to_u32(index: usize) -> u32 {
    u32::try_from(index).expect("at most 32,768 points of each node, and fewer than 131,072 nodes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(places: &[(u32, &[u64])]) -> Points {
        let mut points = Points::default();
        for (node, places) in places {
            points.insert(*node, places.iter().copied());
        }
        points
    }

    #[test]
    fn a_hash_belongs_to_the_next_point_and_the_last_wraps() {
        let ring = points(&[(0, &[10, u64::MAX / 2]), (1, &[20])]);
        let check = |hash, node| assert_eq!(ring.owner(hash), Some(node), "at {hash}");
        check(0, 0);
        check(10, 0);
        check(11, 1);
        check(20, 1);
        check(21, 0);
        check(u64::MAX / 2, 0);
        check(u64::MAX / 2 + 1, 0);
        check(u64::MAX, 0);
        assert_eq!(Points::default().owner(5), None);
    }

    #[test]
    fn equal_points_go_to_the_smaller_node_in_any_order() {
        assert_eq!(points(&[(0, &[7]), (1, &[7])]).owner(3), Some(0));
        // The second one comes in below the first, which moves up.
        assert_eq!(points(&[(0, &[7]), (0, &[7])]).as_slice().len(), 2);
        assert_eq!(points(&[(0, &[7, 9]), (0, &[7])]).owner(8), Some(1));
        assert_eq!(points(&[(0, &[7, 9]), (0, &[7])]).owner(3), Some(0));
    }

    #[test]
    fn points_that_crowd_into_one_bucket_are_found() {
        let crowd: Vec<u64> = (0..10_000).map(|place| 3 * place).collect();
        let ring = points(&[(0, &crowd), (1, &[u64::MAX])]);
        for hash in 0..30_000 {
            assert_eq!(ring.find(hash), hash.div_ceil(3).min(10_000) as usize, "at {hash}");
        }
        assert_eq!(ring.owner(30_000), Some(1));
    }

    #[test]
    fn the_way_around_starts_at_the_hash_and_meets_every_point() {
        let ring = points(&[(0, &[10, 30]), (1, &[20, 40])]);
        let way: Vec<u64> = ring.from(25).map(|point| point.at).collect();
        assert_eq!(way, [30, 40, 10, 20]);
    }
}
