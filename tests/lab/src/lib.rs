//! Real hosts on loopback.
