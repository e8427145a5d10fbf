//! Zero-copy views of trading and IoT wire formats, over plain slices.
#![forbid(unsafe_code)]
#![no_std]
