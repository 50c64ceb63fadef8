//! How much letters read like words and names of programs: a table of three letters in a row.
//!
//! The table holds, for each letter after two others, how likely it is in the words of source code
//! and documentation, on a scale from 0 (never seen) to 15. Position 0 stands for the start of a
//! word. `tests/rank/letters.py` makes it.

/// Rows of 27 after each pair; a letter from `a` (0) to `p` (15) each.
const TABLE: &[u8] = include_bytes!("letters.txt");
/// Bytes of a line of the table, its end included.
const LINE: usize = 27 * 27 + 1;
/// Mean from which a row of letters counts as spoken, in tenths.
const SPOKEN: usize = 85;
/// Shortest row of letters that is judged.
const SHORTEST: usize = 3;

/// What the letters of a value say.
pub(super) struct Read {
    /// Mean likelihood of all judged letters in tenths; 150 if there are none.
    pub(super) mean: usize,
    /// That of the least likely row of four letters or more.
    pub(super) worst: usize,
    /// Letters in rows that read like words.
    pub(super) spoken: usize,
    /// Such rows.
    pub(super) words: usize,
}

fn index(b: u8) -> usize {
    usize::from(b.to_ascii_lowercase() - b'a') + 1
}

fn likely(a: usize, b: usize, c: usize) -> usize {
    usize::from(TABLE[a * LINE + b * 27 + c] - b'a')
}

/// Likelihood of a row of letters: the sum over them.
fn sum(row: &[u8]) -> usize {
    let (mut a, mut b, mut sum) = (0, 0, 0);
    for &letter in row {
        let c = index(letter);
        sum += likely(a, b, c);
        (a, b) = (b, c);
    }
    sum
}

/// Reads the letters of a value, split where words of a name are split.
pub(super) fn read(value: &[u8]) -> Read {
    let mut read = Read { mean: 150, worst: 150, spoken: 0, words: 0 };
    let (mut total, mut judged) = (0, 0);
    for part in value.split(|b| !b.is_ascii_alphabetic()) {
        for row in super::text::humps(part) {
            if row.len() < SHORTEST {
                // Letters between digits are drawn as often as spoken.
                continue;
            }
            let sum = sum(row);
            let mean = sum * 10 / row.len();
            total += sum;
            judged += row.len();
            if row.len() > SHORTEST {
                read.worst = read.worst.min(mean);
            }
            if mean >= SPOKEN {
                read.spoken += row.len();
                read.words += 1;
            }
        }
    }
    read.mean = (total * 10).checked_div(judged).unwrap_or(read.mean);
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(TABLE.len(), 27 * LINE);
        assert!(TABLE.iter().all(|b| matches!(b, b'a'..=b'p' | b'\n')));
    }

    #[test]
    fn words_read_better_than_drawn_letters() {
        for word in
            ["password", "connectionTimeout", "Mot de passe", "authentication", "kubernetes", "config"]
        {
            assert!(read(word.as_bytes()).mean >= SPOKEN, "{word} {}", read(word.as_bytes()).mean);
        }
        for drawn in ["xkqzjwhfpx", "qpwtnbd", "zvkjqx", "wgtrsmbqk"] {
            assert!(read(drawn.as_bytes()).mean < SPOKEN, "{drawn} {}", read(drawn.as_bytes()).mean);
        }
    }
}
