//! The demo's folder: gone with the demo, unless it is kept.

use crate::Failure;
use std::path::{Path, PathBuf};

/// A new folder among the system's temporary ones, which only its owner may read.
pub(crate) struct Folder {
    path: PathBuf,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Removed,
    Kept,
}

impl Folder {
    pub(crate) fn new() -> Result<Self, Failure> {
        // The process id is free while its process runs; what an earlier demo has kept is not.
        let id = std::process::id();
        for attempt in 0..100 {
            let path = std::env::temp_dir().join(format!("swarm-demo-{id}-{attempt}"));
            let mut builder = std::fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            match builder.create(&path) {
                Ok(()) => return Ok(Self { path, fate: Fate::Removed }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => (),
                Err(error) => return Err(Failure::new(format!("{}: {error}", path.display()))),
            }
        }
        Err(Failure::new("no free name for a temporary folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets it stay.
    pub(crate) fn keep(&mut self) {
        self.fate = Fate::Kept;
    }

    /// Where it is, if it stays.
    pub(crate) fn kept(&self) -> Option<&Path> {
        (self.fate == Fate::Kept).then_some(self.path.as_path())
    }
}

/// The files of a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.fate == Fate::Removed {
            // What is left of it the system clears away.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner_unless_it_is_kept() {
        let folder = Folder::new().expect("a temporary folder");
        let path = folder.path().to_owned();
        std::fs::write(path.join("n1.log"), "line").expect("its owner may write");
        assert!(folder.kept().is_none());
        drop(folder);
        assert!(!path.exists());

        let mut folder = Folder::new().expect("a temporary folder");
        folder.keep();
        let path = folder.path().to_owned();
        assert_eq!(folder.kept(), Some(path.as_path()));
        drop(folder);
        assert!(path.exists());
        std::fs::remove_dir(path).expect("it is empty");
    }
}
