use tickwire_codecs::Wire;

#[derive(Wire)]
#[wire(id = 70000)]
#[repr(C)]
struct Quote {
    size: u8,
}

fn main() {}
