use tickwire_codecs::Wire;

#[derive(Wire)]
#[repr(C)]
struct Quote<T> {
    value: T,
}

fn main() {}
