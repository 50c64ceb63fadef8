use super::*;
use crate::rotate::store::tests::{call, key, nowhere, text};
use crate::rotate::store::{HookSpec, Spec};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

struct Scratch(PathBuf);

impl Scratch {
    /// A folder that only we may write to, outside those that everybody may write to without a sticky bit.
    fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let base = fs::canonicalize(std::env::temp_dir()).unwrap();
        let path = base.join(format!("keywheel-hook-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Scratch(path)
    }

    /// A script, given to the shell, so that no process that is just forked holds it open for writing.
    fn script(&self, text: &str) -> Vec<String> {
        let path = self.0.join("hook.sh");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        vec!["/bin/sh".to_owned(), path.to_str().unwrap().to_owned()]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn open(run: Vec<String>, timeout: u64) -> Box<dyn Store> {
    let spec = Spec::Hook(HookSpec { run, timeout, staged: false, readable: true });
    let place =
        Place { lineage: "acme".into(), path: "a \"b\"".into(), field: Some("K".into()), ..Place::default() };
    spec.open(&place, &nowhere()).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_hook_gets_json_and_answers_it() {
    let scratch = Scratch::new();
    let folder = scratch.0.display();
    let run = scratch.script(&format!(
        "cat > {folder}/in; env > {folder}/env; tr '\\0' '\\n' < /proc/$$/cmdline > {folder}/argv; pwd > {folder}/pwd\n\
         ls -l /proc/$$/fd > {folder}/fd; echo out of place >&2\n\
         echo '{{\"version\":\"v2\",\"current\":\"c\",\"pending\":null}}'"
    ));
    let store = open(run, 20);
    let _journal = fs::File::create(scratch.0.join("journal")).unwrap();
    let wanted = Content { current: Some(Secret::new(b"c")), pending: None, version: "v2".to_owned() };
    assert_eq!(store.read(call()), Ok(wanted));
    assert_eq!(store.write(call(), &key(2), "v1"), Ok("v2".to_owned()));
    let seen = |name: &str| fs::read_to_string(scratch.0.join(name)).unwrap();
    let input: serde_json::Value = serde_json::from_str(&seen("in")).unwrap();
    let said = serde_json::json!({
        "version": 1, "verb": "write", "lineage": "acme", "path": "a \"b\"", "field": "K", "expect": "v1", "value": text(&key(2)),
    });
    assert_eq!(input, said);
    let names: Vec<String> = seen("env").lines().map(|l| l.split('=').next().unwrap().to_owned()).collect();
    // The shell sets two or three by itself.
    let own = ["PATH", "LANG", "PWD", "SHLVL", "_", "OLDPWD"];
    assert!(names.iter().all(|n| own.contains(&n.as_str())), "{names:?}");
    assert!(!seen("argv").contains("acme-") && !seen("env").contains("acme-"));
    assert_eq!(seen("pwd"), "/\n");
    assert!(!seen("fd").contains("/journal"), "{}", seen("fd"));
    for change in [store.promote(call(), "v2"), store.restore(call(), &key(1), "v2")] {
        assert_eq!(change, Ok("v2".to_owned()));
    }
    assert!(seen("in").contains("\"verb\":\"restore\""));
}

#[test]
fn exit_codes_and_odd_answers() {
    let scratch = Scratch::new();
    for (text, wanted) in [
        ("exit 10", "Conflict"),
        ("exit 11", "Retry"),
        ("exit 12", "Refused"),
        ("exit 1", "Unknown"),
        ("kill -9 $$", "Unknown"),
        ("true", "Unknown"),
        ("echo '{\"version\":7}'", "Unknown"),
        ("echo '{\"version\":\"\"}'", "Unknown"),
        ("cat; exit 0", "Unknown"),
        ("head -c 70000 /dev/zero", "Unknown"),
    ] {
        let store = open(scratch.script(text), 20);
        let told = format!("{:?}", store.write(call(), &key(2), "v1"));
        assert!(told.contains(wanted) && !told.contains("acme-"), "{text}: {told}");
    }
    let store = open(vec!["/nowhere/at/all".to_owned()], 20);
    assert!(matches!(store.read(call()), Err(StoreError::Refused(_))));
}

#[test]
fn a_group_is_killed_at_the_deadline() {
    let scratch = Scratch::new();
    let pid = scratch.0.join("pid");
    let run = scratch.script(&format!("sleep 600 & echo $! > {}; wait", pid.display()));
    let started = Instant::now();
    let told = open(run, 1).write(call(), &key(2), "v1");
    assert!(matches!(told, Err(StoreError::Unknown(_))), "{told:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
    let pid: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    // Dead, if perhaps not yet collected by whoever took it over.
    let state = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().unwrap_or_default().trim().chars().next()
    };
    let gone = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        matches!(state(pid), None | Some('Z' | 'X'))
    });
    assert!(gone, "a process that the hook started lives on");
}

#[test]
fn a_hook_that_others_may_change_is_not_started() {
    let scratch = Scratch::new();
    let touch = scratch.0.join("ran");
    let run = scratch.script(&format!("touch {}; echo '{{\"version\":\"v\"}}'", touch.display()));
    fs::set_permissions(&run[1], fs::Permissions::from_mode(0o702)).unwrap();
    let refused = |run: &[String]| matches!(open(run.to_vec(), 20).read(call()), Err(StoreError::Refused(_)));
    assert!(refused(&run));
    assert!(refused(&run[1..]));
    fs::set_permissions(&run[1], fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(refused(&run));
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(refused(&run));
    assert!(!touch.exists());
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(!refused(&run));
    assert!(touch.exists());
}
