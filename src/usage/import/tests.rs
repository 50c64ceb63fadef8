use super::*;
use crate::usage::store::Filter;
use crate::usage::tests::Folder;
use std::io::Write;
use std::path::PathBuf;

fn store(folder: &Folder) -> Store {
    Store::open(&folder.0.join("store")).unwrap()
}

fn log(folder: &Folder, text: &str) -> PathBuf {
    let path = folder.0.join("log");
    std::fs::write(&path, text).unwrap();
    path
}

fn take(store: &Store, path: &Path, mapping: &Mapping) -> Result<Imported, ImportError> {
    import(store, "gateway", path, mapping, 1_800_000_000, &|_| None)
}

/// Requests, tokens in, cost, errors.
fn sums(store: &Store) -> (i64, i64, i64, i64) {
    let mut sums = (0, 0, 0, 0);
    let filter = Filter { from: 0, to: 1 << 40, hours: true };
    store
        .lines(&filter, &mut |l| {
            let n = l.numbers;
            sums = (sums.0 + n.requests, sums.1 + n.input, sums.2 + n.cost, sums.3 + n.errors);
        })
        .unwrap();
    sums
}

fn spend(id: usize, status: &str) -> String {
    format!(
        r#"{{"request_id":"r{id}","api_key":"88dc28","model":"m","spend":0.0000125,"prompt_tokens":20,"completion_tokens":10,"startTime":"2025-08-01T10:00:00.123000Z","status":"{status}","requester_ip_address":"192.0.2.7"}}"#
    )
}

#[test]
fn a_log_that_grew_is_read_on_and_one_that_did_not_adds_nothing() {
    let (folder, mapping) = (Folder::new(), Mapping::named("litellm-lines").unwrap());
    let store = store(&folder);
    let path = log(&folder, &format!("{}\n{}\n", spend(1, "success"), spend(2, "failure")));
    assert_eq!(take(&store, &path, &mapping).unwrap().rows, 2);
    assert_eq!(sums(&store), (2, 40, 25_000, 1));
    let again = take(&store, &path, &mapping).unwrap();
    assert_eq!((again.rows, again.changed), (0, Changed::default()));
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    // The last line is still being written.
    write!(file, "{}\n{}", spend(3, "success"), &spend(4, "success")[..30]).unwrap();
    let grown = take(&store, &path, &mapping).unwrap();
    assert_eq!(grown.rows, 1);
    assert!(grown.skipped > 100);
    writeln!(file, "{}", &spend(4, "success")[30..]).unwrap();
    assert_eq!(take(&store, &path, &mapping).unwrap().rows, 1);
    assert_eq!(sums(&store).0, 4);
}

#[test]
fn a_request_counts_once_whichever_log_tells_it() {
    let folder = Folder::new();
    let store = store(&folder);
    let lines = Mapping::named("litellm-lines").unwrap();
    let path = log(&folder, &format!("{}\n{}\n", spend(1, "success"), spend(2, "success")));
    take(&store, &path, &lines).unwrap();
    let other = log(&folder, &format!("[{},{}]", spend(2, "success"), spend(3, "success")));
    let done = take(&store, &other, &Mapping::named("litellm").unwrap()).unwrap();
    assert_eq!((done.rows, done.known), (1, 1));
    assert_eq!(sums(&store).0, 3);
}

#[test]
fn a_line_that_cannot_be_read_keeps_the_whole_log_out() {
    let folder = Folder::new();
    let store = store(&folder);
    let mapping = Mapping::named("litellm-lines").unwrap();
    for bad in ["no json\n", "{\"api_key\":\"a\",\"request_id\":\"x\"}\n"] {
        let path = log(&folder, &format!("{}\n{bad}", spend(1, "success")));
        assert!(take(&store, &path, &mapping).is_err(), "{bad}");
        assert_eq!(sums(&store), (0, 0, 0, 0));
    }
}

#[test]
fn a_table_is_read_by_its_head() {
    let folder = Folder::new();
    let store = store(&folder);
    let mapping = Mapping::parse(
        "form = 'csv'\nprovider = 'acme'\n[columns]\nat = '/time'\nkey = '/key id'\nrequests = '/n'\ncost = '/cents'\nunit = 'cent'",
    )
    .unwrap();
    let path = log(&folder, "time,key id,n,cents\n2026-01-01T00:10:00Z,\"a, b\",3,1.5\n1767225600,c,,\n");
    let done = take(&store, &path, &mapping).unwrap();
    assert_eq!(done.rows, 2);
    assert_eq!(sums(&store), (3, 0, 15_000_000, 0));
    assert_eq!(take(&store, &path, &mapping).unwrap().rows, 0);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    writeln!(file, "1767225600,c,2,0").unwrap();
    assert_eq!(take(&store, &path, &mapping).unwrap().rows, 1);
    assert_eq!(sums(&store).0, 5);
    let short = log(&folder, "time,key id,n,cents\n1767225600,c\n");
    assert!(matches!(take(&store, &short, &mapping), Err(ImportError::Line { .. })));
}

#[test]
fn only_readings_of_secrets_count_in_an_audit_log() {
    let folder = Folder::new();
    let store = store(&folder);
    let entry = |kind: &str, operation: &str, mount: &str, id: usize| {
        format!(
            r#"{{"time":"2026-01-01T00:00:00.5Z","type":"{kind}","auth":{{"display_name":"svc"}},"request":{{"id":"i{id}","operation":"{operation}","mount_type":"{mount}","path":"secret/data/openai","remote_address":"10.0.0.7"}}}}"#
        )
    };
    let text = [
        entry("request", "read", "kv", 1),
        entry("response", "read", "kv", 1),
        entry("response", "update", "kv", 2),
        entry("response", "read", "system", 3),
    ]
    .join("\n");
    let done = take(&store, &log(&folder, &text), &Mapping::named("openbao").unwrap()).unwrap();
    assert_eq!((done.rows, done.other), (1, 3));
    let names = store.names().unwrap();
    assert!(names.keys.values().any(|(provider, key)| provider == "openbao" && key == "secret/data/openai"));
    assert_eq!(names.sources.values().next().unwrap().class, crate::rule::Class::Weak);
}
