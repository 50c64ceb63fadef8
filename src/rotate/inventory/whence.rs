//! From where a key is used: an address, a network, or a word such as a country.

use serde::Deserialize;
use std::fmt;
use std::net::IpAddr;

/// Longest word.
const LONGEST: usize = 200;

/// From where somebody calls.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Whence {
    /// All addresses that agree in so many first bits.
    Network(IpAddr, u8),
    /// A word, whether its letters are large or small.
    Word(String),
}

impl Whence {
    /// Whether a place, as a source of usage names it, lies there.
    pub fn holds(&self, place: &str) -> bool {
        match self {
            Whence::Word(word) => word.eq_ignore_ascii_case(place.trim()),
            Whence::Network(network, bits) => {
                // An address of IPv4 in the clothes of IPv6 is the same one.
                place
                    .trim()
                    .parse::<IpAddr>()
                    .is_ok_and(|address| within(address.to_canonical(), *network, *bits))
            }
        }
    }
}

fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let shift = 32 - u32::from(bits.min(32));
            (a.to_bits() ^ n.to_bits()).checked_shr(shift).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            let shift = 128 - u32::from(bits.min(128));
            (a.to_bits() ^ n.to_bits()).checked_shr(shift).unwrap_or(0) == 0
        }
        _ => false,
    }
}

impl TryFrom<String> for Whence {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let wrong = "this is no place; write an address, a network such as 192.0.2.0/24, or a country";
        let text = text.trim();
        if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(wrong);
        }
        let Some((address, bits)) = text.split_once('/') else {
            return Ok(match text.parse::<IpAddr>() {
                Ok(address) => Whence::Network(address.to_canonical(), 128),
                Err(_) => Whence::Word(text.to_owned()),
            });
        };
        let address: IpAddr = address.parse().map_err(|_| wrong)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits: u8 = bits.parse().ok().filter(|bits| *bits <= most).ok_or(wrong)?;
        Ok(Whence::Network(address, bits))
    }
}

impl fmt::Display for Whence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whence::Network(address, bits) => write!(f, "{address}/{bits}"),
            Whence::Word(word) => f.pad(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_networks_and_words_are_themselves() {
        let holds = |whence: &str, place: &str| Whence::try_from(whence.to_owned()).unwrap().holds(place);
        for (whence, place, lies) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.7", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
            ("CH", "ch", true),
            ("CH", "DE", false),
            ("192.0.2.0/24", "(many)", false),
        ] {
            assert_eq!(holds(whence, place), lies, "{whence} {place}");
        }
        for wrong in ["", " ", "192.0.2.0/33", "2001:db8::/129", "a/24", "192.0.2.0/x", "a\nb"] {
            assert!(Whence::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }
}
