//! What holds for every decoder.

use super::*;

mod cost;

/// A seeded xorshift.
pub(super) fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 11
    }
}

/// Fails unless `view` is a sound view of a part of `hay`.
pub(super) fn check(view: &View, hay: &[u8]) {
    let View { via, bytes, outer, map } = view;
    let show = || format!("{view:?} of {:?}", String::from_utf8_lossy(hay));
    assert!(outer.start < outer.end && outer.end <= hay.len(), "{}", show());
    assert_eq!(map.len(), bytes.len() + 1, "{}", show());
    assert!(map.is_sorted(), "{}", show());
    assert!(map[0] as usize >= outer.start && map[bytes.len()] as usize == outer.end, "{}", show());
    assert!(hay[outer.clone()] != bytes[..], "no progress: {}", show());
    assert!(!via.is_empty() && !bytes.is_empty(), "{}", show());
}

/// The view that begins at `at`, checked.
pub(super) fn view(trigger: Trigger, hay: &[u8], at: usize) -> Option<View> {
    let mut out = Vec::new();
    expand(trigger, hay, at, &mut out);
    for v in &out {
        check(v, hay);
        assert!(v.outer.end > at, "{v:?} does not reach past {at}");
    }
    assert!(out.len() <= 1);
    out.pop()
}

/// What in `hay` each occurrence of `decoded` in the view came from.
pub(super) fn places<'h>(view: &View, hay: &'h [u8], decoded: &str) -> Vec<&'h str> {
    let starts = 0..(view.bytes.len() + 1).saturating_sub(decoded.len());
    starts
        .filter(|&i| view.bytes[i..].starts_with(decoded.as_bytes()))
        .map(|i| std::str::from_utf8(&hay[view.outer_of(i..i + decoded.len())]).unwrap())
        .collect()
}

/// `bytes` in standard base64, without padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let held = three.iter().fold(0, |held, &b| held << 8 | usize::from(b)) << (8 * (3 - three.len()));
        (0..=three.len()).for_each(|i| out.push(letters[held >> (18 - 6 * i) & 63] as char));
    }
    out
}

/// The kind of trigger that the byte at `at` is, if it is one.
fn kind(hay: &[u8], at: usize) -> Option<Trigger> {
    let letter = |b: &u8| b.is_ascii_alphanumeric() || b"+/_-".contains(b);
    match hay[at] {
        b'%' => Some(Trigger::Percent),
        b'\\' => Some(Trigger::Escape),
        b'&' => Some(Trigger::Entity),
        b'"' | b'\'' | b'`' => Some(Trigger::Join),
        _ => {
            let begins = at == 0 || !letter(&hay[at - 1]);
            let long = hay[at..].iter().take(24).filter(|b| letter(b)).count() == 24;
            (begins && long).then_some(Trigger::Run)
        }
    }
}

/// The view at `at`, if that is a trigger of this kind.
pub(super) fn from(trigger: Trigger, hay: &[u8], at: usize) -> Option<View> {
    if kind(hay, at) == Some(trigger) { view(trigger, hay, at) } else { None }
}

/// The first view of a kind in `hay`.
pub(super) fn first(trigger: Trigger, hay: &[u8]) -> Option<View> {
    (0..hay.len()).find_map(|at| from(trigger, hay, at))
}

/// All views, as a caller asks for them.
fn sweep(hay: &[u8]) -> Vec<View> {
    let mut done = [0; Trigger::COUNT];
    let mut views = Vec::new();
    for at in 0..hay.len() {
        let Some(trigger) = kind(hay, at) else { continue };
        if at >= done[trigger as usize]
            && let Some(v) = view(trigger, hay, at)
        {
            done[trigger as usize] = v.outer.end;
            views.push(v);
        }
    }
    views
}

#[test]
fn random_buffers_give_sound_views() {
    let alphabet: Vec<&[u8]> = b"%\\&\"'+=%\\&\"'+=\n\r /_-`.#;x{}uUnt"
        .chunks(1)
        .chain([
            &b"aGVsbG8gd29ybGQ"[..],
            b"dGhpcyBpcyBhIGxvbmcgdGV4dCBpbiBiYXNl",
            b"H4sIAAAAAAAAA",
            b"QQBCAEMARABFAEYA",
            b"68656c6c6f20776f726c64",
            b"%41",
            b"\\x41",
            b"\\u0041",
            b"\\u{41}",
            b"\\101",
            b"\\\n",
            b"\\n",
            b"&#65;",
            b"&amp;",
            b"&#x41;",
            b"\" + \"",
            b"' '",
            b"\xc3\xa9",
            b"\x00",
            b"-----BEGIN",
            b"0x",
            b"//",
            b"\n  ",
        ])
        .collect();
    let mut next = random(1);
    let mut seen = 0;
    for _ in 0..50_000 {
        let mut hay = Vec::new();
        for _ in 0..next() % 60 {
            hay.extend(alphabet[next() as usize % alphabet.len()]);
        }
        for at in 0..hay.len() {
            if let Some(trigger) = kind(&hay, at) {
                seen += usize::from(view(trigger, &hay, at).is_some());
            }
        }
    }
    assert!(seen > 50_000, "{seen}");
}

#[test]
fn every_prefix_of_every_kind_is_safe() {
    let text = base64(b"a text with key=sk-0123456789abcdef, long enough to be folded over a few lines");
    let (a, b) = text.split_at(40);
    let whole = format!(
        "x = \"{a}\\n{b}\"; # {a}\n# {b}\n'https://a.b/%41%42?c=%C3%A9' \"\\x41\\u0041\\u{{1F600}}\\ud83d\\ude00\\101\" \
         \"abc\" + 'def' + \"ghi\" \\\n \"jklmnopqrstuvwxyz\" <a b=&quot;sk-0123&#52;56789&#x41;&quot;/> \
         0x6b65793d736b2d30313233343536373839616263 H4sIAAAAAAAAA6tWKkktLlGyUlAqS8wpTtVRUMpOrVSyUlBKTMpKVaoFAMh1"
    );
    for end in 0..=whole.len() {
        sweep(&whole.as_bytes()[..end]);
        sweep(&whole.as_bytes()[end..]);
        utf16(&whole.as_bytes()[..end]);
    }
    assert!(sweep(whole.as_bytes()).len() >= 6);
}

#[test]
fn random_text_comes_back() {
    let mut next = random(5);
    for round in 0..2000 {
        let len = 24 + next() as usize % 400;
        let text: Vec<u8> = (0..len).map(|_| b' ' + (next() % 95) as u8).collect();
        let percent: String = text.iter().map(|b| format!("%{b:02X}")).collect();
        let entity: String = text.iter().map(|b| format!("&#{b};")).collect();
        let escape: String = text.iter().map(|b| format!("\\x{b:02x}")).collect();
        let hex: String = text.iter().map(|b| format!("{b:02x}")).collect();
        let fold = 24 + round % 60;
        let lines: Vec<String> =
            base64(&text).as_bytes().chunks(fold).map(|l| String::from_utf8_lossy(l).into_owned()).collect();
        let cases = [
            (Trigger::Percent, percent, 3),
            (Trigger::Entity, entity, 0),
            (Trigger::Escape, escape, 4),
            (Trigger::Run, hex, 2),
            (Trigger::Run, base64(&text), 0),
            // A last line of a letter or three is left out.
            (
                Trigger::Run,
                if lines[lines.len() - 1].len() < 4 { base64(&text) } else { lines.join("\n") },
                0,
            ),
        ];
        for (trigger, hay, step) in cases {
            let v = first(trigger, hay.as_bytes()).unwrap_or_else(|| panic!("{hay}"));
            assert_eq!(String::from_utf8_lossy(&v.bytes), String::from_utf8_lossy(&text), "{hay}");
            if step > 0 && trigger != Trigger::Percent {
                assert!((0..=len).all(|i| v.map[i] as usize == i * step), "{hay}");
            }
        }
    }
}

#[test]
fn only_listed_signs_open_a_view() {
    let mut random = random(41);
    // What a decoder could wait for, and every other byte now and then.
    let letters = b"\"\"''``%%&&\\\\#0123x7Fuamplgtqosn;rb {}+.<>|/=_\t\r\n";
    let (mut opened, mut refused) = (0, 0);
    for _ in 0..40_000 {
        let mut hay: Vec<u8> = (0..64)
            .map(|_| match random() {
                n if n % 9 == 0 => (n >> 8) as u8,
                n => letters[(n >> 8) as usize % letters.len()],
            })
            .collect();
        hay.extend(b"abcdefghijklmnopqrstuvwxyz\"");
        for at in 0..hay.len() - 1 {
            let Some(trigger) = kind(&hay, at).filter(|t| *t != Trigger::Run) else { continue };
            let listed =
                SIGNS.iter().any(|(signs, next)| signs.contains(&hay[at]) && next.contains(&hay[at + 1]));
            let opens = view(trigger, &hay, at).is_some();
            assert!(listed || !opens, "{:?} at {at}", String::from_utf8_lossy(&hay));
            opened += usize::from(opens);
            refused += usize::from(!listed);
        }
    }
    assert!(opened > 1_000 && refused > 10_000, "{opened} {refused}");
}
