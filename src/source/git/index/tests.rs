use super::*;

/// An entry as version 2 writes it; `more` are the flags of version 3.
fn entry(name: &[u8], mode: u32, flags: u16, more: Option<u16>) -> Vec<u8> {
    let mut out = vec![0; 24];
    out.extend(mode.to_be_bytes());
    out.extend([0; 12]);
    out.extend([7; 20]);
    out.extend((flags | (name.len().min(0xfff)) as u16).to_be_bytes());
    out.extend(more.iter().flat_map(|m| m.to_be_bytes()));
    out.extend(name);
    out.resize((out.len() + 8) & !7, 0);
    out
}

fn file(version: u32, count: u32, body: &[&[u8]]) -> Vec<u8> {
    let mut out = b"DIRC".to_vec();
    out.extend(version.to_be_bytes());
    out.extend(count.to_be_bytes());
    body.iter().for_each(|b| out.extend_from_slice(b));
    let sum = Sha1::digest(&out);
    out.extend(sum);
    out
}

fn names(bytes: &[u8]) -> Result<Vec<String>, String> {
    let stored = parse(Path::new("index"), bytes).map_err(|e| e.to_string())?;
    let index = Index { names: stored.names, entries: stored.entries };
    Ok(index.entries().iter().map(|e| RawPath::new(index.path(e)).text()).collect())
}

#[test]
fn entries_of_all_versions() {
    let long = vec![b'n'; 5000];
    let two = file(2, 2, &[&entry(b"a", 0o100644, 0, None), &entry(&long, 0o100755, 0, None)]);
    assert_eq!(names(&two), Ok(vec!["a".to_owned(), "n".repeat(5000)]));
    let three = file(3, 1, &[&entry(b"a", 0o100644, 0xe000, Some(0x6000))]);
    let stored = parse(Path::new("index"), &three).unwrap();
    let e = stored.entries[0];
    assert_eq!((e.stage, e.assume_valid, e.skip_worktree, e.intent_to_add), (2, true, true, true));
    let four = |cut: u8, suffix: &[u8]| {
        let mut e = entry(b"", 0o100644, 0, None);
        e.truncate(62);
        e.push(cut);
        e.extend(suffix);
        e.push(0);
        e
    };
    let bytes = file(4, 3, &[&four(0, b"dir/ab"), &four(1, b"c"), &four(6, b"e")]);
    assert_eq!(names(&bytes), Ok(vec!["dir/ab".into(), "dir/ac".into(), "e".into()]));
    let bytes = file(4, 2, &[&four(0, b"a"), &four(2, b"b")]);
    assert!(names(&bytes).unwrap_err().contains("cut from a shorter one"));
}

#[test]
fn extensions_are_skipped_only_if_they_may_be() {
    let one = entry(b"a", 0o100644, 0, None);
    let with = |e: &[u8]| names(&file(2, 1, &[&one, e]));
    assert!(with(b"TREE\0\0\0\x01x").is_ok());
    assert!(with(b"sdir\0\0\0\0").is_ok());
    assert!(with(b"need\0\0\0\0").unwrap_err().contains("needs the extension `need`"));
    assert!(with(b"TREE\0\0\0\x02x").unwrap_err().contains("ends early"));
    assert!(with(b"TRE").unwrap_err().contains("ends early"));
}

#[test]
fn the_checksum_is_held_unless_it_was_skipped() {
    let good = file(2, 1, &[&entry(b"a", 0o100644, 0, None)]);
    for i in 0..good.len() {
        let mut bad = good.clone();
        bad[i] ^= 1;
        assert!(names(&bad).is_err(), "{i}");
    }
    let at = good.len() - TRAILER;
    let mut skipped = good;
    skipped[at..].fill(0);
    assert_eq!(names(&skipped), Ok(vec!["a".to_owned()]));
}

#[test]
fn hostile_counts_and_cuts_are_refused() {
    let body = entry(b"a", 0o100644, 0, None);
    assert!(names(&file(2, u32::MAX, &[&body])).unwrap_err().contains("ends early"));
    assert!(names(&file(5, 1, &[&body])).unwrap_err().contains("version 5"));
    assert!(names(&file(2, 1, &[&entry(b"a", 0o100644, 0x4000, Some(0))])).is_err());
    assert!(names(&file(3, 1, &[&entry(b"a", 0o100644, 0x4000, Some(1))])).is_err());
    for cut in 0..body.len() {
        assert!(names(&file(2, 1, &[&body[..cut]])).is_err(), "{cut}");
    }
    assert!(names(b"").is_err());
}
