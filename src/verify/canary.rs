//! Traps that are known by their account or name. Calling one alarms its owner and proves nothing.

/// AWS accounts that issue canary tokens. Source: the lists that TruffleHog publishes in
/// `pkg/detectors/aws/access_keys/canary.go`; the account is read out of the key id.
const ACCOUNTS: &[u64] = &[
    44_858_866_125,
    52_310_077_262,
    171_436_882_533,
    251_535_659_677,
    266_735_846_894,
    344_043_088_457,
    351_906_852_752,
    390_477_818_340,
    426_127_672_474,
    427_150_556_519,
    439_872_796_651,
    445_142_720_921,
    465_867_158_099,
    534_261_010_715,
    595_918_472_158,
    637_958_123_769,
    693_412_236_332,
    717_712_589_309,
    729_780_141_977,
    730_335_385_048,
    732_624_840_810,
    735_421_457_923,
    819_147_034_852,
    893_192_397_702,
    959_235_150_393,
    982_842_642_351,
    992_382_622_183,
];

/// Names of services that issue them; they stand in host names and user names of their tokens.
const NAMES: &[&[u8]] = &[b"canarytokens.com", b"canarytokens.org", b"canarytokens.net", b"canary.tools"];

/// Whether a part of a credential is known to be a trap.
pub(super) fn is_canary(value: &[u8]) -> bool {
    let named = value.len() < 4096 && {
        let lower = value.to_ascii_lowercase();
        NAMES.iter().any(|name| memchr::memmem::find(&lower, name).is_some())
    };
    named || account(value).is_some_and(|id| ACCOUNTS.binary_search(&id).is_ok())
}

/// The account of an AWS access key id of the present form: base32 of ten bytes behind the prefix,
/// of which the 40 bits after the first one are the account's number.
fn account(id: &[u8]) -> Option<u64> {
    let body =
        id.strip_prefix(b"AKIA").or_else(|| id.strip_prefix(b"ASIA")).filter(|body| body.len() == 16)?;
    // The older ids hold no account; their fifth character lies below `Q`.
    if !(b'Q'..=b'Z').contains(&body[0]) && !(b'2'..=b'7').contains(&body[0]) {
        return None;
    }
    let mut bits = 0u64;
    for &c in &body[..10] {
        let five = match c {
            b'A'..=b'Z' => c - b'A',
            b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u64::from(five);
    }
    // 50 bits are read: one that is always set, 40 of the account, 9 of what follows.
    Some((bits >> 9) & ((1 << 40) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An access key id of an account.
    fn id(account: u64) -> Vec<u8> {
        let bits = (1u64 << 40 | account) << 9;
        let sign = |n: u64| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(bits >> (45 - 5 * n) & 31) as usize];
        [b"AKIA".to_vec(), (0..10).map(sign).collect(), b"ABCDEF".to_vec()].concat()
    }

    #[test]
    fn the_account_is_read_out_of_a_key_id() {
        // Published with its account in Tal Be'ery's "A short note on AWS KEY ID".
        assert_eq!(account(&[&b"ASIA"[..], b"QNZGKIQY56JQ7WML"].concat()), Some(29_608_264_753));
        assert_eq!(account(&id(123_456_789_012)), Some(123_456_789_012));
        assert_eq!(account(&[&b"AKIA"[..], &[b'I'; 16]].concat()), None);
    }

    #[test]
    fn canaries_are_known_by_account_and_name() {
        assert!(ACCOUNTS.is_sorted());
        assert!(ACCOUNTS.iter().all(|&account| is_canary(&id(account))));
        assert!(!is_canary(&id(123_456_789_012)));
        assert!(is_canary(b"mysql://user:x@my.CanaryTokens.com/db"));
        assert!(!is_canary(b"canary.example") && !is_canary(b""));
    }
}
