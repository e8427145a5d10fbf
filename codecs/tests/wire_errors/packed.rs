use tickwire_codecs::Wire;

#[derive(Wire)]
#[repr(C, packed)]
struct Quote {
    size: u8,
}

fn main() {}
