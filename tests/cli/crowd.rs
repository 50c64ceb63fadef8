//! Many places of fewer values: each value is asked about once, at the pace of its host, in little memory.

use super::Folder;
use super::revoke::reply;
use super::server::{Server, authority};
use super::token::token;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const HOST: &str = "api.github.com";
/// Calls a second to one host, and calls at once.
const RATE: f64 = 5.0;
const AT_ONCE: usize = 4;
/// Most memory of the process.
const MEMORY: u64 = 100 << 20;

/// What the server saw.
#[derive(Default)]
struct Seen {
    /// When each call came, by the token that it brought.
    calls: Mutex<Vec<(Instant, String)>>,
    inside: AtomicUsize,
    most: AtomicUsize,
}

/// Takes a while over each call. Every other token works.
fn github(seen: &Arc<Seen>, works: impl Fn(&str) -> bool + Send + Sync + 'static) -> Server {
    let seen = Arc::clone(seen);
    Server::standing_in(HOST, move |request| {
        let token = request.lines().find_map(|l| l.split_once("Bearer ")).unwrap().1.trim().to_owned();
        let live = works(&token);
        seen.calls.lock().unwrap().push((Instant::now(), token));
        seen.most.fetch_max(seen.inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(400));
        seen.inside.fetch_sub(1, Ordering::SeqCst);
        if live {
            reply("200 OK", r#"{"login":"octo","id":1}"#)
        } else {
            reply("401 Unauthorized", r#"{"message":"Bad credentials"}"#)
        }
    })
}

/// The most memory that a process has had.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?;
    Some(kib.parse::<u64>().ok()? << 10)
}

/// What the report says of values of which it is not known whether they work.
fn unknown(f: &Folder) -> String {
    let text = std::fs::read_to_string(f.0.join("report.json")).unwrap();
    let doc: serde_json::Value = serde_json::from_str(&text).unwrap();
    let list = doc["findings"].as_array().unwrap().iter().filter(|f| f["validity"] == "unknown");
    list.map(|f| f["evidence"].to_string()).collect()
}

/// Scans `places` places of `keys` values, and holds what was sent against the promises.
fn crowd(places: u64, keys: u64) {
    let tokens: Vec<String> = (0..keys).map(token).collect();
    let live: BTreeMap<String, bool> =
        tokens.iter().enumerate().map(|(n, t)| (t.clone(), n % 2 == 0)).collect();
    let (f, seen) = (Folder::new(), Arc::new(Seen::default()));
    let known = live.clone();
    let server = github(&seen, move |token| known.get(token) == Some(&true));
    let (base, at) = (format!("https://{HOST}"), server.address);
    f.put("org.toml", format!("[endpoint.github]\nbase = \"{base}\"\nconnect = \"{at}\"\n"));
    f.put("roots.pem", authority());
    // 100 places a file, a value in every file at most once.
    for file in 0..places.div_ceil(100) {
        let lines = (file * 100..places.min(file * 100 + 100)).map(|n| {
            let value = &tokens[(n % keys) as usize];
            format!("token_{n} = \"{value}\"\n")
        });
        f.put(format!("tree/{file}.py"), lines.collect::<String>());
    }
    let report = ["--format", "json=report.json", "--verify-cache", "cache.json", "--verify-budget", "20m"];
    let scan = ["scan", "tree", "--verify", "--org-config", "org.toml", "--quiet"];
    let mut command = f.command(&[&scan[..], &report].concat());
    command.env("SSL_CERT_FILE", "roots.pem").stdout(Stdio::null()).stderr(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        most = peak(child.id()).unwrap_or_default().max(most);
        std::thread::sleep(Duration::from_millis(50));
    };
    let took = begun.elapsed();
    assert_eq!(status.code(), Some(1), "{:?}", child.wait_with_output());

    let mut calls = seen.calls.lock().unwrap().clone();
    calls.sort();
    let mut by_token: BTreeMap<&str, u64> = BTreeMap::new();
    calls.iter().for_each(|(_, token)| *by_token.entry(token).or_default() += 1);
    let odd: Vec<_> = (0..tokens.len()).filter(|n| by_token.get(&*tokens[*n]) != Some(&1)).collect();
    let times: Vec<_> = odd.iter().map(|n| by_token.get(&*tokens[*n])).collect();
    assert!(
        odd.is_empty(),
        "values that were not sent once: {odd:?}, but so often: {times:?}; {}",
        unknown(&f)
    );
    let made_up = by_token.keys().filter(|t| !live.contains_key(**t)).count();
    assert_eq!((made_up, calls.len() as u64), (1, keys + 1), "one made-up credential, and nothing else");

    // The pace: over any ten calls in a row, which leaves the threads of a busy machine some play.
    let gap = |pair: &[(Instant, String)]| (pair[pair.len() - 1].0 - pair[0].0).as_secs_f64();
    let fastest = calls.windows(11).map(gap).fold(f64::MAX, f64::min);
    assert!(fastest > 10.0 / RATE * 0.8, "ten calls within {fastest} s");
    let inside = seen.most.load(Ordering::SeqCst);
    assert!(inside <= AT_ONCE, "{inside} calls at once");
    assert!(most < MEMORY, "{most} bytes of memory");
    println!("{places} places, {keys} values: {took:.1?}, {} calls, peak {} MiB", calls.len(), most >> 20);

    let text = std::fs::read_to_string(f.0.join("report.json")).unwrap();
    let doc: serde_json::Value = serde_json::from_str(&text).unwrap();
    let list = doc["findings"].as_array().unwrap();
    assert_eq!(list.len() as u64, keys);
    let count = |word: &str| list.iter().filter(|f| f["validity"] == word).count() as u64;
    // A server in the place of the public one under its own name can prove death too.
    assert_eq!((count("active"), count("inactive")), (keys.div_ceil(2), keys / 2));
    let stood: usize = list.iter().map(|f| f["occurrences"].as_array().unwrap().len()).sum();
    assert!(stood as u64 == places || text.contains("omitted"), "{stood} places");
    let kept = std::fs::read_to_string(f.0.join("cache.json")).unwrap();
    for token in &tokens {
        assert!(!text.contains(token) && !kept.contains(token), "a value was written down");
    }
}

#[test]
fn a_few_hundred_places_of_twenty_values() {
    crowd(200, 20);
}

#[test]
#[ignore = "takes four minutes, for the pace of a host is kept"]
fn ten_thousand_places_of_a_thousand_values() {
    crowd(10_000, 1_000);
}
