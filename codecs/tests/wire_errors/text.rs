use tickwire_codecs::Wire;

#[derive(Wire)]
#[repr(C)]
struct Quote {
    symbol: String,
}

fn main() {}
