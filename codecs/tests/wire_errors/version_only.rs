use tickwire_codecs::Wire;

#[derive(Wire)]
#[wire(version = 3)]
#[repr(C)]
struct Quote {
    size: u8,
}

fn main() {}
