use std::fs::{self, File};
use std::io::BufRead;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use tempfile::TempDir;

use super::folder::*;
use super::log::*;
use super::record::*;
use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn store(folder: &TempDir) -> Store {
    Store::new(folder.path().join("store"))
}

fn log_of(folder: &TempDir) -> PathBuf {
    folder.path().join("store").join(LOG_NAME)
}

fn entries(pairs: &[(&str, Option<&str>)]) -> Entries {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect()
}

fn put(store: &mut Store, key: &str, value: &str) {
    assert_eq!(store.update(&entries(&[(key, Some(value))])), Ok(()));
}

fn all(store: &mut Store) -> Vec<(String, String)> {
    store.list("").unwrap().into_iter().collect()
}

fn corrupt_files(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder.path().join("store")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> =
        names.map(|name| name.into_string().unwrap()).filter(|n| n.contains("corrupt")).collect();
    names.sort();
    names
}

#[test]
fn what_was_updated_is_there_after_a_restart() {
    let folder = folder();
    let mut first = store(&folder);
    put(&mut first, "a", "1");
    put(&mut first, "b", "\u{1f469} \"\\\n\0");
    put(&mut first, "__proto__", "");
    assert_eq!(first.update(&entries(&[("a", None), ("c", Some("3"))])), Ok(()));
    drop(first);
    let mut second = store(&folder);
    assert_eq!(second.get("a").unwrap(), None);
    assert_eq!(second.get("b").unwrap().unwrap(), "\u{1f469} \"\\\n\0");
    assert_eq!(second.get("__proto__").unwrap().unwrap(), "");
    assert_eq!(second.get("c").unwrap().unwrap(), "3");
}

#[test]
fn a_list_holds_what_begins_with_the_prefix() {
    let folder = folder();
    let mut store = store(&folder);
    for key in ["head/a", "head/b", "head", "headx", "hea", "z", ""] {
        put(&mut store, key, key);
    }
    let of = |store: &mut Store, prefix: &str| store.list(prefix).unwrap().into_keys().collect::<Vec<_>>();
    assert_eq!(of(&mut store, "head/"), ["head/a", "head/b"]);
    assert_eq!(of(&mut store, "head"), ["head", "head/a", "head/b", "headx"]);
    assert_eq!(of(&mut store, "").len(), 7);
    assert!(of(&mut store, "none").is_empty());
}

#[test]
fn a_second_store_on_the_folder_is_refused_until_the_first_is_gone() {
    let folder = folder();
    let mut first = store(&folder);
    put(&mut first, "a", "1");
    let mut second = store(&folder);
    let error = second.get("a").unwrap_err();
    assert_eq!(error.code(), "STORE_FAILED");
    assert!(error.to_string().contains("another process is using it"), "{error}");
    put(&mut first, "b", "2");
    drop(first);
    assert_eq!(second.get("b").unwrap().unwrap(), "2");
}

#[test]
fn a_store_that_is_gone_is_free_also_while_a_child_process_is_being_started() {
    let folder = folder();
    let mut first = store(&folder);
    put(&mut first, "a", "1");
    // What a child has between its fork and its exec.
    let inherited = first.log.as_ref().unwrap()._lock.0.try_clone().unwrap();
    drop(first);
    assert_eq!(store(&folder).get("a").unwrap().unwrap(), "1");
    drop(inherited);
}

#[test]
fn a_torn_end_is_set_aside_and_everything_before_it_kept() {
    let folder = folder();
    let mut first = store(&folder);
    put(&mut first, "a", "1");
    put(&mut first, "b", "2");
    drop(first);
    let whole = fs::read(log_of(&folder)).unwrap();
    fs::write(log_of(&folder), &whole[..whole.len() - 1]).unwrap();
    let mut second = store(&folder);
    assert_eq!(all(&mut second), [("a".into(), "1".into())]);
    assert_eq!(corrupt_files(&folder), ["entries.log.corrupt-1"]);
    let aside = fs::read(folder.path().join("store/entries.log.corrupt-1")).unwrap();
    assert!(whole.ends_with(&[&aside[..], &whole[whole.len() - 1..]].concat()));
    put(&mut second, "c", "3");
    drop(second);
    assert_eq!(all(&mut store(&folder)), [("a".into(), "1".into()), ("c".into(), "3".into())]);
    assert_eq!(corrupt_files(&folder).len(), 1);
}

#[test]
fn only_the_newest_eight_damaged_ends_are_kept() {
    let folder = folder();
    put(&mut store(&folder), "a", "1");
    for n in 0..11 {
        let mut content = fs::read(log_of(&folder)).unwrap();
        content.push(n);
        fs::write(log_of(&folder), content).unwrap();
        assert_eq!(all(&mut store(&folder)).len(), 1);
    }
    let mut kept = corrupt_files(&folder);
    kept.sort_by_key(|name| name.len());
    let expected: Vec<_> = (4..=11).map(|n| format!("entries.log.corrupt-{n}")).collect();
    assert_eq!(kept, expected);
}

#[test]
fn a_file_that_is_no_log_is_set_aside() {
    let folder = folder();
    put(&mut store(&folder), "a", "1");
    fs::write(log_of(&folder), "something else").unwrap();
    let mut store = store(&folder);
    assert!(all(&mut store).is_empty());
    assert_eq!(corrupt_files(&folder).len(), 1);
    put(&mut store, "b", "2");
}

#[test]
fn a_log_of_a_newer_version_is_not_touched() {
    let folder = folder();
    put(&mut store(&folder), "a", "1");
    let newer = b"nostr-sync/tauri store 2\nwhatever comes";
    fs::write(log_of(&folder), newer).unwrap();
    assert_eq!(store(&folder).get("a").unwrap_err().code(), "STORE_FAILED");
    assert_eq!(fs::read(log_of(&folder)).unwrap(), newer);
}

#[test]
fn a_log_that_has_doubled_is_rewritten() {
    let folder = folder();
    let mut first = store(&folder);
    put(&mut first, "kept", "from the beginning");
    let value = "x".repeat(100_000);
    let mut longest = 0;
    for n in 0..40 {
        put(&mut first, "a", &format!("{n} {value}"));
        longest = longest.max(fs::metadata(log_of(&folder)).unwrap().len());
    }
    assert!((COMPACT_FROM_BYTES / 2..COMPACT_FROM_BYTES).contains(&longest), "{longest}");
    assert!(!temporary(&folder.path().join("store")).exists());
    put(&mut first, "after", "1");
    drop(first);
    let mut second = store(&folder);
    assert_eq!(second.get("a").unwrap().unwrap(), format!("39 {value}"));
    assert_eq!(second.get("kept").unwrap().unwrap(), "from the beginning");
    assert_eq!(second.get("after").unwrap().unwrap(), "1");
}

#[test]
fn pieces_stay_in_the_log_and_are_values_like_any_other() {
    let folder = folder();
    let mut first = store(&folder);
    let piece = |n: u32, round: u32| format!("{n}/{round} ").repeat(10_000);
    let mut longest = 0;
    for round in 0..30 {
        for n in 0..4 {
            put(&mut first, &format!("piece/{n}"), &piece(n, round));
        }
        put(&mut first, "head", &round.to_string());
        longest = longest.max(fs::metadata(log_of(&folder)).unwrap().len());
    }
    assert!((COMPACT_FROM_BYTES / 2..COMPACT_FROM_BYTES + 100_000).contains(&longest), "{longest}");
    let texts = first.log.as_ref().unwrap().live.entries.values();
    let in_memory: usize =
        texts.map(|entry| if let Value::Text(text) = &entry.value { text.len() } else { 0 }).sum();
    assert_eq!(in_memory, 2);
    assert_eq!(first.get("piece/1").unwrap(), Some(piece(1, 29)));
    assert_eq!(first.update(&entries(&[("piece/1", None), ("piece/\"", Some(""))])), Ok(()));
    drop(first);
    let mut second = store(&folder);
    assert_eq!(second.get("piece/1").unwrap(), None);
    assert_eq!(second.get("piece/3").unwrap().unwrap(), piece(3, 29));
    let pieces = second.list("piece/").unwrap();
    assert_eq!(pieces.keys().collect::<Vec<_>>(), ["piece/\"", "piece/0", "piece/2", "piece/3"]);
    assert_eq!(pieces["piece/2"], piece(2, 29));
}

#[test]
fn a_piece_that_rots_is_gone_alone() {
    let folder = folder();
    let mut store = store(&folder);
    for key in ["piece/1", "piece/2"] {
        put(&mut store, key, &key.repeat(1_000));
    }
    let mut bytes = fs::read(log_of(&folder)).unwrap();
    bytes[HEADER.len() + RECORD_HEAD_BYTES + 100] ^= 1;
    fs::write(log_of(&folder), bytes).unwrap();
    assert_eq!(store.get("piece/1").unwrap(), None);
    assert_eq!(store.list("piece/").unwrap().len(), 1);
    for n in 0..30 {
        put(&mut store, "a", &n.to_string().repeat(50_000));
    }
    assert_eq!(store.get("piece/1").unwrap(), None);
    assert_eq!(store.get("piece/2").unwrap().unwrap(), "piece/2".repeat(1_000));
}

/// Not a test of its own: the process whose memory the next ones look at. Each value is ten pieces of 40 KB.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "is run by another test"]
fn child_that_has_a_large_store() {
    let path = PathBuf::from(std::env::var_os(CHILD_FOLDER).unwrap());
    let count: u32 = std::env::var(CHILD_VALUES).unwrap().parse().unwrap();
    let log = path.join(LOG_NAME);
    let length = || fs::metadata(&log).unwrap().len();
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
    };
    let before = peak();
    let value = |n: u32| (0..10).map(move |i| (format!("piece/{n}/{i}"), Some("x".repeat(40_000))));
    let mut first = Store::new(path.clone());
    for n in (0..count).step_by(5) {
        let changes: Entries = (n..n + 5).flat_map(value).collect();
        assert_eq!(first.update(&changes), Ok(()));
    }
    let full = length();
    assert!(full > u64::from(count) * 400_000, "{full}");
    drop(first);
    let mut second = Store::new(path);
    let last = format!("piece/{}/9", count - 1);
    assert_eq!(second.get(&last).unwrap().unwrap().len(), 40_000);
    for n in (0..count).step_by(5) {
        let changes: Entries = (n..n + 3).flat_map(value).map(|(key, _)| (key, None)).collect();
        assert_eq!(second.update(&changes), Ok(()));
    }
    assert!(length() < full / 2 + 10_000_000, "{}", length());
    assert_eq!(second.get(&format!("piece/{}/3", count - 4)).unwrap(), None);
    assert_eq!(second.get(&format!("piece/{}/3", count - 2)).unwrap().unwrap().len(), 40_000);
    println!("grew by {}", peak() - before);
}

/// By how much the memory of a process grows, at most, that has this many values of 400 KB.
#[cfg(target_os = "linux")]
fn growth_with(values: u32) -> u64 {
    let folder = folder();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::child_that_has_a_large_store", "--ignored", "--nocapture"])
        .env(CHILD_FOLDER, folder.path().join("store"))
        .env(CHILD_VALUES, values.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let grown = said.lines().find_map(|line| line.split_once("grew by ")).expect(&said).1;
    grown.parse().unwrap()
}

/// What is held does not depend on how many megabytes there are, but for 100 bytes or so a piece.
#[cfg(target_os = "linux")]
#[test]
fn a_store_of_600_megabytes_opens_updates_and_is_rewritten_in_40() {
    let grown = growth_with(1_500);
    assert!(grown < 40_000_000, "{grown}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_store_of_2_gigabytes_opens_updates_and_is_rewritten_in_50_megabytes() {
    let grown = growth_with(5_000);
    assert!(grown < 50_000_000, "{grown}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_may_use_is_refused_with_what_to_do_about_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let path = folder.path().join("store");
    fs::create_dir(&path).unwrap();
    for mode in [0o755, 0o770, 0o702] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = store(&folder).get("a").unwrap_err();
        assert_eq!(error.code(), "STORE_FAILED");
        assert!(error.to_string().contains(&format!("mode {mode:04o}); make it 0700")), "{error}");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    put(&mut store(&folder), "a", "1");
}

#[cfg(unix)]
#[test]
fn a_folder_of_another_user_is_refused() {
    use std::os::unix::fs::{MetadataExt, chown};
    let folder = folder();
    let path = folder.path().join("store");
    put(&mut store(&folder), "a", "1");
    let user = fs::metadata(&path).unwrap().uid();
    if user != 0 {
        // Root alone can give a folder away, and could use another's: for all others the system refuses it.
        return;
    }
    chown(&path, Some(4_321), None).unwrap();
    let error = store(&folder).get("a").unwrap_err();
    assert_eq!(error.code(), "STORE_FAILED");
    assert!(error.to_string().contains("belongs to another user (uid 4321)"), "{error}");
    assert!(fs::read_dir(&path).unwrap().all(|file| {
        let name = file.unwrap().file_name();
        name == LOG_NAME || name == LOCK_NAME
    }));
    chown(&path, Some(user), None).unwrap();
    assert_eq!(store(&folder).get("a").unwrap().unwrap(), "1");
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_a_link_is_refused_and_one_below_a_link_is_not() {
    let folder = folder();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    put(&mut Store::new(real.clone()), "a", "1");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    for path in [link.clone(), link.join("")] {
        let error = Store::new(path).get("a").unwrap_err();
        assert_eq!(error.code(), "STORE_FAILED");
        assert!(error.to_string().contains("it is a link"), "{error}");
    }
    put(&mut Store::new(link.join("store")), "b", "2");
    assert!(real.join("store").join(LOG_NAME).is_file());
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_and_no_planted_lock_blocks() {
    let folder = folder();
    put(&mut store(&folder), "a", "1");
    let path = folder.path().join("store");
    let target = folder.path().join("target");
    fs::write(&target, "whole").unwrap();
    fs::remove_file(path.join(LOCK_NAME)).unwrap();
    std::os::unix::fs::symlink(&target, path.join(LOCK_NAME)).unwrap();
    std::os::unix::fs::symlink(&target, temporary(&path)).unwrap();
    put(&mut store(&folder), "b", "2");
    fs::remove_file(path.join(LOCK_NAME)).unwrap();
    fs::create_dir_all(path.join(LOCK_NAME).join("with/more")).unwrap();
    assert_eq!(all(&mut store(&folder)).len(), 2);
    fs::remove_file(log_of(&folder)).unwrap();
    std::os::unix::fs::symlink(&target, log_of(&folder)).unwrap();
    assert_eq!(store(&folder).get("a").unwrap_err().code(), "STORE_FAILED");
    assert_eq!(fs::read_to_string(&target).unwrap(), "whole");
}

#[test]
fn what_a_crash_in_mid_rewriting_left_is_ignored_and_removed() {
    let folder = folder();
    put(&mut store(&folder), "a", "1");
    let path = temporary(&folder.path().join("store"));
    fs::write(&path, b"half").unwrap();
    assert_eq!(store(&folder).get("a").unwrap().unwrap(), "1");
    assert!(!path.exists());
}

#[test]
fn a_failed_update_changes_nothing_and_the_next_one_works() {
    let folder = folder();
    let mut first = store(&folder);
    put(&mut first, "a", "1");
    let too_much = entries(&[("b", Some(&"x".repeat(MAX_RECORD_BYTES)))]);
    assert_eq!(first.update(&too_much).unwrap_err().code(), "STORE_FAILED");
    // A medium that does not take the write: the file is open for reading only.
    let log = first.log.as_mut().unwrap();
    let file = std::mem::replace(&mut log.file, File::open(log_of(&folder)).unwrap());
    assert_eq!(first.update(&entries(&[("c", Some("2"))])).unwrap_err().code(), "STORE_FAILED");
    drop(file);
    assert_eq!(all(&mut first), [("a".into(), "1".into())]);
    put(&mut first, "d", "3");
    drop(first);
    assert_eq!(all(&mut store(&folder)), [("a".into(), "1".into()), ("d".into(), "3".into())]);
}

#[test]
fn a_folder_that_cannot_be_is_said_to_be_and_tried_again() {
    let folder = folder();
    let mut store = store(&folder);
    fs::write(folder.path().join("store"), "a file in the way").unwrap();
    assert_eq!(store.get("a").unwrap_err().code(), "STORE_FAILED");
    fs::remove_file(folder.path().join("store")).unwrap();
    put(&mut store, "a", "1");
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    put(&mut store(&folder), "a", "1");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(folder.path().join("store")), mode(log_of(&folder))), (0o700, 0o600));
}

// --- Processes that are killed ----------------------------------------------------------------------------------

const CHILD_FOLDER: &str = "NOSTR_SYNC_TEST_STORE";
#[cfg(target_os = "linux")]
const CHILD_VALUES: &str = "NOSTR_SYNC_TEST_VALUES";

/// Not a test of its own: the process that the next one kills. Says each number after its update was answered.
#[test]
#[ignore = "is run by another test"]
fn child_that_writes_until_it_is_killed() {
    let mut store = Store::new(std::env::var_os(CHILD_FOLDER).unwrap().into());
    let last = store.get("last").unwrap().map_or(0, |last| last.parse::<u64>().unwrap());
    for n in last + 1..1_000_000 {
        let text = n.to_string();
        let filler = "x".repeat((n % 97) as usize * 600);
        let changes = entries(&[
            ("last", Some(&text)),
            ("filler", Some(&filler)),
            (&format!("n/{}", n % 50), Some(&text)),
        ]);
        assert_eq!(store.update(&changes), Ok(()));
        println!("saved {n}");
    }
}

#[test]
fn a_killed_writer_loses_nothing_that_was_answered() {
    let folder = folder();
    let path = folder.path().join("store");
    let mut last = 0;
    for round in 0..12_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "store::tests::child_that_writes_until_it_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .env(CHILD_FOLDER, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = io::BufReader::new(child.stdout.take().unwrap()).lines();
        let mut saved = 0;
        // Killed after another number of updates each time, at whatever it is just doing.
        let mut answers = lines.by_ref().map_while(std::result::Result::ok);
        for line in answers.by_ref() {
            if let Some((_, n)) = line.split_once("saved ") {
                last = n.parse().unwrap();
                saved += 1;
                if saved == 7 + round * 5 {
                    break;
                }
            }
        }
        assert!(saved > 0, "the child saved nothing in round {round}");
        if round == 0 {
            let error = Store::new(path.clone()).get("last").unwrap_err();
            assert!(error.to_string().contains("another process is using it"), "{error}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had still answered before the kill reached it.
        for line in answers {
            if let Some((_, n)) = line.split_once("saved ") {
                last = n.parse().unwrap_or(last);
            }
        }
        let mut store = Store::new(path.clone());
        let found: u64 = store.get("last").unwrap().unwrap().parse().unwrap();
        // One update may have been saved and not answered any more; it is there whole.
        assert!((last..=last + 1).contains(&found), "answered {last}, found {found}");
        assert_eq!(store.get(&format!("n/{}", found % 50)).unwrap().unwrap(), found.to_string());
        assert_eq!(store.get("filler").unwrap().unwrap().len() as u64, found % 97 * 600);
    }
}

// --- Bytes from anywhere ----------------------------------------------------------------------------------------

/// Any JSON value.
pub(crate) fn arbitrary_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        ".{0,12}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::vec((".{0,8}", inner), 0..4).prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

fn record(changes: &Entries) -> Vec<u8> {
    if changes.is_empty() {
        return Vec::new();
    }
    let lines = changes.iter().map(|(key, value)| encode_line(key, value.as_deref()).unwrap());
    encode(&lines.collect::<Vec<_>>()).unwrap()
}

/// The values of what was decoded from `log`.
fn texts(live: &Live, log: &[u8]) -> BTreeMap<String, String> {
    let text = |entry: &Entry| match &entry.value {
        Value::Text(text) => text.clone(),
        Value::Piece { at, .. } => {
            decode_line(&log[*at as usize..(at + entry.bytes) as usize]).unwrap().1.unwrap()
        }
    };
    live.entries.iter().map(|(key, entry)| (key.clone(), text(entry))).collect()
}

fn updates() -> impl Strategy<Value = Vec<Entries>> {
    let entry = ("(piece/)?[a-c\"]{0,2}", proptest::option::of(".{0,20}"));
    proptest::collection::vec(proptest::collection::hash_map(entry.0, entry.1, 0..4), 0..8)
}

fn apply(entries: &mut BTreeMap<String, String>, changes: &Entries) {
    for (key, value) in changes {
        match value {
            Some(value) => entries.insert(key.clone(), value.clone()),
            None => entries.remove(key),
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_log_that_was_cut_or_changed_reads_as_the_updates_before_that(
        updates in updates(),
        cut in any::<proptest::sample::Index>(),
        flip in proptest::option::of((any::<proptest::sample::Index>(), 1_u8..)),
        tail in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut log = HEADER.to_vec();
        let mut states = vec![(HEADER.len(), BTreeMap::new())];
        for changes in &updates {
            log.extend(record(changes));
            let mut next = states.last().unwrap().1.clone();
            apply(&mut next, changes);
            states.push((log.len(), next));
        }
        let mut damaged = log[..cut.index(log.len() + 1)].to_vec();
        if let Some((at, bits)) = flip && !damaged.is_empty() {
            let at = at.index(damaged.len());
            damaged[at] ^= bits;
        }
        damaged.extend(&tail);
        let good = log.iter().zip(&damaged).take_while(|(written, found)| written == found).count();
        match decode(&mut &damaged[..], damaged.len() as u64) {
            Ok((live, bytes)) => {
                let entries = texts(&live, &damaged);
                let bytes = bytes as usize;
                let before = states.iter().rev().find(|(end, _)| *end <= good);
                match before {
                    Some((end, state)) => prop_assert_eq!((bytes, &entries), (*end, state)),
                    None => prop_assert_eq!((bytes, entries.len()), (0, 0)),
                }
            }
            // A header that was changed into that of another version.
            Err(_) => prop_assert!(good < HEADER.len()),
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&mut &bytes[..], bytes.len() as u64);
        let log = [HEADER, &bytes].concat();
        let _ = decode(&mut &log[..], log.len() as u64);
    }

}

proptest! {
    // Each case flushes to the disk some twenty times.
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_store_is_a_map(steps in proptest::collection::vec((updates(), any::<bool>()), 0..4)) {
        let folder = folder();
        let mut store = store(&folder);
        let mut model = BTreeMap::new();
        for (updates, restart) in steps {
            for changes in &updates {
                prop_assert_eq!(store.update(changes), Ok(()));
                apply(&mut model, changes);
            }
            if restart {
                store = Store::new(folder.path().join("other"));
                prop_assert_eq!(store.list("").unwrap().len(), 0);
                store = Store::new(folder.path().join("store"));
            }
            prop_assert_eq!(&store.list("").unwrap(), &model);
        }
    }
}

#[test]
fn the_checksum_is_crc32c() {
    // RFC 3720, appendix B.4.
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}
