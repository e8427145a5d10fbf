use tickwire_codecs::Wire;

#[derive(Wire)]
#[repr(u8)]
enum Side {
    Buy,
}

fn main() {}
