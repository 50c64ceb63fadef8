#![allow(clippy::unwrap_used)]

use super::*;
use std::fs;

#[test]
fn they_come_back_as_they_were_or_not_at_all() {
    let path = std::env::temp_dir().join(format!("keywheel-verdicts-{}", std::process::id()));
    let open = || State::open(&path, [7; 32]).unwrap().0;
    assert_eq!(open().verdicts().unwrap(), None);
    open().keep_verdicts(b"one").unwrap();
    open().keep_verdicts(b"two").unwrap();
    assert_eq!(open().verdicts().unwrap().as_deref(), Some(&b"two"[..]));
    for damaged in [&b"x"[..], b"", b"0123456789abcdeftwo"] {
        let state = open();
        state.ask(|db| db.execute("UPDATE meta SET value = ?1 WHERE name = 'verdicts'", [damaged])).unwrap();
        assert_eq!(state.verdicts().unwrap(), None);
    }
    fs::remove_file(&path).unwrap();
}
