use tickwire_codecs::Wire;

#[derive(Wire)]
struct Quote {
    size: u8,
}

fn main() {}
