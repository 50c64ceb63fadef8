//! Checksums that issuers build into their credentials.
