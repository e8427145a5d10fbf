//! `docs/protocol.md` against the code and the vectors.
