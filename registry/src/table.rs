//! All names, with what each log says about them.

use crate::log::LogId;
use crate::record::{Entry, Record};
use swarm_base::{Index, Name};

/// See the module. Found by name, and by log: a log's list holds places in the table, so that a
/// name stands in memory once.
#[derive(Debug, Default)]
pub(crate) struct Table {
    names: Index<Name, Record>,
    /// For each log the places of the names that it has an entry for.
    lists: Vec<Vec<u32>>,
}

/// Room for so many names is not worth giving back.
const ROOM_MIN: usize = 256;

/// What [`Table::put`] did.
pub(crate) struct Put<T> {
    pub(crate) before: T,
    pub(crate) after: T,
    /// What the log said before.
    pub(crate) old: Option<Entry>,
    /// Where the name stood in the log's list, if it no longer does.
    pub(crate) unlisted: Option<u32>,
}

impl Table {
    pub(crate) fn get(&self, name: &Name) -> Option<&Record> {
        self.names.get(name)
    }

    pub(crate) fn entry(&self, log: LogId, name: &Name) -> Option<&Entry> {
        self.get(name)?.of(log)
    }

    /// The name at a place: one that [`places`](Self::places) gave, as long as nothing is put.
    pub(crate) fn at(&self, place: u32) -> Option<(&Name, &Record)> {
        self.names.get_index(place as usize)
    }

    pub(crate) fn place(&self, name: &Name) -> Option<u32> {
        self.names.get_index_of(name).map(|place| place as u32)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Name, &Record)> {
        self.names.iter()
    }

    /// The places of the names that a log has an entry for. A put of another entry of that log
    /// appends one at the end, or moves the last one to where one was taken out.
    pub(crate) fn places(&self, log: LogId) -> &[u32] {
        self.lists.get(log.idx()).map_or(&[], Vec::as_slice)
    }

    /// The names that a log has an entry for.
    pub(crate) fn of(&self, log: LogId) -> impl Iterator<Item = (&Name, &Record)> {
        self.places(log).iter().filter_map(|place| self.at(*place))
    }

    /// Sets or removes what `log` says about `name`. `look` sees the record before and after.
    pub(crate) fn put<T>(
        &mut self,
        log: LogId,
        name: &Name,
        entry: Option<Entry>,
        look: impl Fn(&Record) -> T,
    ) -> Put<T> {
        if self.lists.len() <= log.idx() {
            self.lists.resize_with(log.idx() + 1, Vec::new);
        }
        let list = &mut self.lists[log.idx()];
        let slot = self.names.entry(name.clone());
        let place = slot.index();
        let record = slot.or_default();
        let before = look(record);
        let pos = record.pos(log);
        let old = match (pos, entry) {
            (Some(_), Some(entry)) => record.replace(log, entry),
            (None, Some(entry)) => {
                record.add(log, list.len() as u32, entry);
                list.push(place as u32);
                None
            }
            (_, None) => record.remove(log),
        };
        let (after, is_empty) = (look(record), record.is_empty());
        let unlisted = pos.filter(|_| record.pos(log).is_none());
        if let Some(pos) = unlisted {
            self.unlist(log, pos);
        }
        if is_empty {
            self.drop_place(place);
        }
        Put { before, after, old, unlisted }
    }

    /// Takes the name at `pos` out of a log's list.
    fn unlist(&mut self, log: LogId, pos: u32) {
        let list = &mut self.lists[log.idx()];
        list.swap_remove(pos as usize);
        if let Some(moved) = list.get(pos as usize) {
            self.names[*moved as usize].set_pos(log, pos);
        } else if list.is_empty() {
            // A log of another node may take its place, and hold as little.
            *list = Vec::new();
        }
    }

    /// Takes a name out of the table; the last one takes its place.
    fn drop_place(&mut self, place: usize) {
        self.names.swap_remove_index(place);
        if self.names.capacity() > 4 * self.names.len().max(ROOM_MIN) {
            self.names.shrink_to(2 * self.names.len());
        }
        let Some((_, moved)) = self.names.get_index(place) else { return };
        for (log, pos) in moved.positions() {
            self.lists[log.idx()][pos as usize] = place as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::OWN;
    use swarm_base::Token;

    #[test]
    fn many_names_leave_no_room_behind() {
        let mut table = Table::default();
        let name = |n: u32| Name::new(format!("name-{n}")).expect("a name");
        for n in 0..10_000 {
            table.put(OWN, &name(n), Some(Entry::Stopped(Token::default())), |_| ());
        }
        for n in 0..9_990 {
            table.put(OWN, &name(n), None, |_| ());
            assert!(table.names.capacity() <= 4 * table.names.len().max(ROOM_MIN));
        }
        let left: Vec<_> = table.of(OWN).map(|(name, _)| name.clone()).collect();
        assert_eq!(left.len(), 10);
        assert!((9_990..10_000).all(|n| left.contains(&name(n)) && table.get(&name(n)).is_some()));
    }
}
