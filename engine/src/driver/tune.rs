//! Socket options as one typed value.
