//! Pointers of Git LFS: small texts that stand for content kept elsewhere.

/// Most bytes of a pointer, by the specification:
/// <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.
const LONGEST: usize = 1024;

/// The first line of a pointer, and that of the releases before the first.
const VERSIONS: [&[u8]; 2] =
    [b"version https://git-lfs.github.com/spec/v1", b"version https://hawser.github.com/spec/v1"];

/// Whether `bytes`, a whole file, is a pointer: the version first, then among the other lines a
/// SHA-256 and a size.
pub fn is_lfs_pointer(bytes: &[u8]) -> bool {
    if bytes.len() >= LONGEST || !bytes.starts_with(b"version ") {
        return false;
    }
    let mut lines = bytes.split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l));
    if !lines.next().is_some_and(|first| VERSIONS.contains(&first)) {
        return false;
    }
    let (mut oid, mut size) = (false, false);
    for line in lines {
        if let Some(digits) = line.strip_prefix(b"oid sha256:") {
            oid = digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit);
        } else if let Some(digits) = line.strip_prefix(b"size ") {
            size = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        }
    }
    oid && size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_told_by_all_their_parts() {
        let oid = "4d".repeat(32);
        let pointer = |version: &str, rest: &str| is_lfs_pointer(format!("{version}\n{rest}").as_bytes());
        let v1 = "version https://git-lfs.github.com/spec/v1";
        assert!(pointer(v1, &format!("oid sha256:{oid}\nsize 12345\n")));
        assert!(pointer(v1, &format!("ext-0-foo sha256:{oid}\noid sha256:{oid}\nsize 0")));
        assert!(pointer(&format!("{v1}\r"), &format!("oid sha256:{oid}\r\nsize 1\r\n")));
        assert!(pointer("version https://hawser.github.com/spec/v1", &format!("oid sha256:{oid}\nsize 1\n")));
        assert!(!pointer("version https://example.com/spec/v1", &format!("oid sha256:{oid}\nsize 1\n")));
        assert!(!pointer(v1, &format!("oid sha256:{oid}\n")));
        assert!(!pointer(v1, "size 1\n"));
        assert!(!pointer(v1, &format!("oid sha256:{}\nsize 1\n", &oid[1..])));
        assert!(!pointer(v1, &format!("oid sha256:{oid}\nsize -1\n")));
        assert!(!pointer(v1, &format!("oid sha256:{oid}\nsize 1\n{}", "x".repeat(LONGEST))));
    }
}
