use tickwire_codecs::Wire;

#[derive(Wire)]
#[repr(C)]
struct Quote {
    active: [bool; 2],
}

fn main() {}
