//! The decoders, each with its memory bounded, and what their errors mean.

use super::Kind;
use super::meter::Told;
use crate::model::SkipReason;
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::{DeflateDecoder, GzDecoder};
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};
use std::io::{self, BufRead, Read};

/// Bytes read ahead of each decoder.
pub(super) const BUFFER: usize = 32 << 10;

type Decoder<'r> = Box<dyn Read + 'r>;

/// A decoder for a stream that stands alone, and the name it gives its content.
pub(super) fn stream<'r>(
    kind: Kind,
    input: impl BufRead + 'r,
    room: u64,
) -> io::Result<(Decoder<'r>, Option<Vec<u8>>)> {
    Ok(match kind {
        Kind::Gzip => {
            let first = GzDecoder::new(input);
            let name = first.header().and_then(|h| h.filename()).map(<[u8]>::to_vec);
            (Box::new(Gzip(Some(Box::new(first)))), name)
        }
        Kind::Bzip2 => (Box::new(MultiBzDecoder::new(input)), None),
        Kind::Xz => (xz(input, room)?, None),
        Kind::Zstd => (zstd(input, room)?, None),
        Kind::Lzma => (lzma(input, room)?, None),
        Kind::Zip | Kind::Tar | Kind::Ar | Kind::Cpio | Kind::Foreign(_) => {
            return Err(unsupported("not a stream"));
        }
    })
}

/// A decoder for a zip member of `size` bytes packed by `method`; `None` if there is none.
pub(super) fn method<'r>(
    method: u16,
    size: Option<u64>,
    mut input: impl BufRead + 'r,
    room: u64,
) -> io::Result<Option<Decoder<'r>>> {
    Ok(Some(match method {
        0 => Box::new(input),
        8 => Box::new(DeflateDecoder::new(input)),
        12 => Box::new(MultiBzDecoder::new(input)),
        14 => {
            // Two bytes of version, two of length, then the properties: made into the header of a
            // bare stream, so that one decoder with one memory bound serves both.
            let mut head = [0; 9];
            input.read_exact(&mut head)?;
            if head[2..4] != [5, 0] {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "odd LZMA properties"));
            }
            let mut bare = head[4..].to_vec();
            bare.extend_from_slice(&size.unwrap_or(u64::MAX).to_le_bytes());
            lzma(io::Cursor::new(bare).chain(input), room)?
        }
        20 | 93 => zstd(input, room)?,
        95 => xz(input, room)?,
        _ => return Ok(None),
    }))
}

fn xz<'r>(input: impl BufRead + 'r, room: u64) -> io::Result<Decoder<'r>> {
    let stream = Stream::new_stream_decoder(with_state(room), CONCATENATED)?;
    Ok(Box::new(XzDecoder::new_stream(input, stream)))
}

fn lzma<'r>(input: impl BufRead + 'r, room: u64) -> io::Result<Decoder<'r>> {
    let stream = Stream::new_lzma_decoder(with_state(room))?;
    Ok(Box::new(XzDecoder::new_stream(input, stream)))
}

/// The bound counts the decoder's own state too, which a window of a round size should not pay for.
fn with_state(room: u64) -> u64 {
    room.saturating_add(1 << 20)
}

fn zstd<'r>(input: impl BufRead + 'r, room: u64) -> io::Result<Decoder<'r>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
    decoder.window_log_max(room.max(1).ilog2().clamp(10, 31))?;
    Ok(Box::new(decoder))
}

/// Gzip of one or several members, with the zero bytes behind it that tapes and pads leave.
struct Gzip<R>(Option<Box<GzDecoder<R>>>);

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.0 {
            let n = decoder.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            let next = past_zeros(decoder.get_mut())?;
            let Some(ended) = self.0.take() else { break };
            match next {
                Some(0x1f) => self.0 = Some(Box::new(GzDecoder::new(ended.into_inner()))),
                Some(_) => {
                    let what = "something else follows the compressed data";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                }
                None => {}
            }
        }
        Ok(0)
    }
}

/// Passes over zero bytes; the byte that stands behind them.
fn past_zeros(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let ahead = input.fill_buf()?;
        let zeros = ahead.iter().take_while(|b| **b == 0).count();
        let next = ahead.get(zeros).copied();
        if next.is_some() || ahead.is_empty() {
            input.consume(zeros);
            return Ok(next);
        }
        input.consume(zeros);
    }
}

fn unsupported(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}

/// What a failed read means; `None` if it was told by the layer below.
pub(super) fn reason(error: &io::Error) -> Option<(SkipReason, String)> {
    use liblzma::stream::Error as Lzma;
    if Told::is(error) {
        return None;
    }
    let inner = error.get_ref();
    let reason = match inner.and_then(|e| e.downcast_ref::<Lzma>()) {
        Some(Lzma::MemLimit | Lzma::Mem) => SkipReason::TooMuchMemory,
        Some(Lzma::Options | Lzma::UnsupportedCheck) => SkipReason::Unsupported,
        Some(_) => SkipReason::Broken,
        None if error.raw_os_error().is_some() => SkipReason::Unreadable,
        None if error.kind() == io::ErrorKind::Unsupported => SkipReason::Unsupported,
        // The binding passes on only the words of its library.
        None if error.to_string().contains("too much memory") => SkipReason::TooMuchMemory,
        None => SkipReason::Broken,
    };
    Some((reason, error.to_string()))
}
