use tickwire_codecs::Wire;

#[derive(Wire)]
#[repr(C)]
struct Quote {
    size: u32,
}

fn main() {}
