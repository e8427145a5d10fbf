//! Integration tests of tickwire, one binary.
