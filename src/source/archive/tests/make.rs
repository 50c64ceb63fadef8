//! Archives for the tests.

use std::io::{Cursor, Write};

pub(super) fn noise(len: usize) -> Vec<u8> {
    let mut x = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        // Printable, with line ends, and not much compressible.
        if x.is_multiple_of(61) { b'\n' } else { 32 + (x >> 32) as u8 % 95 }
    })
    .take(len)
    .collect()
}

pub(super) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

pub(super) fn gz_named(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut e = flate2::GzBuilder::new().filename(name).write(Vec::new(), flate2::Compression::fast());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

pub(super) fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut e = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

pub(super) fn xz(bytes: &[u8]) -> Vec<u8> {
    liblzma::encode_all(bytes, 0).unwrap()
}

pub(super) fn lzma(bytes: &[u8]) -> Vec<u8> {
    let options = liblzma::stream::LzmaOptions::new_preset(1).unwrap();
    let stream = liblzma::stream::Stream::new_lzma_encoder(&options).unwrap();
    let mut e = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

pub(super) fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

pub(super) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut e = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

pub(super) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut b = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        b.append_data(&mut header, name, *bytes).unwrap();
    }
    b.into_inner().unwrap()
}

/// One header block by hand.
pub(super) fn block(name: &[u8], kind: u8, size: u64, mark: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[156] = kind;
    block[257..257 + mark.len()].copy_from_slice(mark);
    seal(&mut block);
    block
}

/// Sets the checksum of a header block.
pub(super) fn seal(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum = block.iter().map(|b| u32::from(*b)).sum::<u32>();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

pub(super) fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out.resize(bytes.len().next_multiple_of(512), 0);
    out
}

pub(super) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    zip_by(members, zip::CompressionMethod::Deflated)
}

pub(super) fn zip_by(members: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut w = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        w.start_file(*name, options).unwrap();
        w.write_all(bytes).unwrap();
    }
    w.finish().unwrap().into_inner()
}

/// A zip by hand, with every field open to lies.
#[derive(Clone, Default)]
pub(super) struct Raw {
    pub(super) name: Vec<u8>,
    pub(super) method: u16,
    pub(super) flags: u16,
    pub(super) packed: Vec<u8>,
    pub(super) size: u32,
    pub(super) crc: u32,
    /// Not in the directory.
    pub(super) unlisted: bool,
    /// Sizes stand in a descriptor behind the content; with its mark or without.
    pub(super) descriptor: Option<bool>,
}

pub(super) fn stored(name: &[u8], bytes: &[u8]) -> Raw {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    let (packed, size, crc) = (bytes.to_vec(), bytes.len() as u32, crc.sum());
    Raw { name: name.to_vec(), packed, size, crc, ..Raw::default() }
}

pub(super) fn deflated(name: &[u8], bytes: &[u8]) -> Raw {
    Raw { method: 8, packed: deflate(bytes), ..stored(name, bytes) }
}

pub(super) fn raw_zip(members: &[Raw]) -> Vec<u8> {
    let (mut out, mut directory, mut count) = (Vec::new(), Vec::new(), 0u16);
    for m in members {
        let at = out.len() as u32;
        let behind = m.descriptor.is_some();
        let flags = m.flags | if behind { 8 } else { 0 };
        let fixed = |sizes: bool| {
            let mut f = Vec::new();
            f.extend(20u16.to_le_bytes());
            f.extend(flags.to_le_bytes());
            f.extend(m.method.to_le_bytes());
            f.extend([0; 4]);
            for n in [m.crc, m.packed.len() as u32, m.size] {
                f.extend(if sizes { n } else { 0 }.to_le_bytes());
            }
            f.extend((m.name.len() as u16).to_le_bytes());
            f.extend(0u16.to_le_bytes());
            f
        };
        out.extend(b"PK\x03\x04");
        out.extend(fixed(!behind));
        out.extend(&m.name);
        out.extend(&m.packed);
        if let Some(mark) = m.descriptor {
            out.extend(if mark { &b"PK\x07\x08"[..] } else { b"" });
            for n in [m.crc, m.packed.len() as u32, m.size] {
                out.extend(n.to_le_bytes());
            }
        }
        if !m.unlisted {
            count += 1;
            directory.extend(b"PK\x01\x02\x14\0");
            directory.extend(fixed(true));
            directory.extend([0; 10]);
            directory.extend(at.to_le_bytes());
            directory.extend(&m.name);
        }
    }
    let start = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}
