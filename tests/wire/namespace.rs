//! Tests of this binary once more, where there is nothing but loopback and the system counts every packet
//! that was meant for elsewhere.

use super::IN_NAMESPACE;
use std::net::UdpSocket;
use std::process::Command;

/// Set inside, so that it is not done again there.
const INSIDE: &str = "KEYWHEEL_TEST_NAMESPACE";

/// Packets for which there was no way out.
fn strays() -> u64 {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let v4 = read("/proc/net/snmp");
    let mut lines = v4.lines().filter_map(|l| l.strip_prefix("Ip:")).map(str::split_whitespace);
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let v4: u64 = names.zip(values).find(|(n, _)| *n == "OutNoRoutes").unwrap().1.parse().unwrap();
    let v6 = read("/proc/net/snmp6");
    let v6 =
        v6.lines().find_map(|l| l.strip_prefix("Ip6OutNoRoutes")).map_or(0, |v| v.trim().parse().unwrap());
    v4 + v6
}

#[test]
fn nothing_but_loopback_is_contacted() {
    if std::env::var_os(INSIDE).is_some() {
        return;
    }
    let me = std::env::current_exe().unwrap();
    let enter = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "sh", "-ec", script]).arg(&me).args(IN_NAMESPACE);
        command.env(INSIDE, "1").output()
    };
    if !enter("ip link set lo up").is_ok_and(|o| o.status.success()) {
        println!(
            "skipped: no network namespace can be made here (it takes unshare and ip, and leave to use them)"
        );
        return;
    }
    let output =
        enter("ip link set lo up; \"$0\" \"$@\"; exec \"$0\" --exact namespace::count --ignored --nocapture")
            .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("strays: 0, then 1"), "{said}");
}

/// Run inside the namespace after the other tests: that the count is none, and that it would have counted.
#[test]
#[ignore = "only means something in the namespace of the other test"]
fn count() {
    let before = strays();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    assert!(socket.send_to(b"x", "192.0.2.1:9").is_err(), "there is a way out of the namespace");
    println!("strays: {before}, then {}", strays());
}
