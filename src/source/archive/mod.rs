//! Archives and compressed streams, unpacked as they are read.
