//! The folder of a store: whose it is, who uses it, and files in it that only this user can read.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

pub(super) const LOCK_NAME: &str = "process.lock";

/// One process at a time.
pub(super) struct Lock(pub(super) File);

impl Lock {
    pub(super) fn take(folder: &Path) -> io::Result<Self> {
        let path = folder.join(LOCK_NAME);
        // What somebody planted there is no lock, and blocks nobody.
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path)?,
            Ok(found) if !found.is_file() => fs::remove_file(&path)?,
            _ => {}
        }
        let file = private().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(io::Error::other("another process is using it")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A child process that is just being started has the file open as well: closing it here would not be enough.
impl Drop for Lock {
    fn drop(&mut self) {
        // Where it fails, the lock goes when the last one closes the file.
        let _ = self.0.unlock();
    }
}

pub(super) fn remove_if_present(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Files that only this user can read.
pub(super) fn private() -> OpenOptions {
    #[allow(unused_mut, reason = "only Unix has modes")]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    #[allow(unused_mut, reason = "only Unix has modes")]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    // Without a slash at its end, behind which the system follows a link. What is above it is the system's business.
    if fs::symlink_metadata(folder.components().as_path())?.is_symlink() {
        return Err(io::Error::other("it is a link; give the folder that it leads to"));
    }
    #[cfg(unix)]
    check_owner(folder)?;
    Ok(())
}

/// Whoever can write to the folder can put in it what this process then trusts.
#[cfg(unix)]
fn check_owner(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(folder)?;
    let mode = found.mode() & 0o777;
    if mode & 0o077 != 0 {
        let advice = "make it 0700 with chmod 700";
        return Err(io::Error::other(format!("others may use it (mode {mode:04o}); {advice}")));
    }
    // With this mode only its owner can make a file in it, and root, who would trust what another user put there.
    let (owner, user) = (found.uid(), owner_of_new_file(folder)?);
    if owner != user {
        let advice = "use a folder of your own in it";
        return Err(io::Error::other(format!("it belongs to another user (uid {owner}); {advice}")));
    }
    Ok(())
}

/// The user as whom this process writes there: std does not tell it otherwise.
#[cfg(unix)]
fn owner_of_new_file(folder: &Path) -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt;
    use std::sync::atomic::{AtomicU64, Ordering};
    // A process that opens many stores at once needs as many names.
    static TURN: AtomicU64 = AtomicU64::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("owner-{}-{turn}", std::process::id()));
    // Left by a process that had this number and was killed.
    remove_if_present(&path)?;
    let file = private().write(true).create_new(true).open(&path)?;
    let user = file.metadata().map(|found| found.uid());
    fs::remove_file(&path)?;
    user
}

/// Makes a created or renamed file last. Windows cannot flush a folder, and does so by itself.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
