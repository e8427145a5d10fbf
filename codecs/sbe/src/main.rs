//! x
fn main() {
    let a: Vec<_> = std::env::args().skip(1).collect();
    match tickwire_sbe::Schema::read(a[0].as_ref(), None) {
        Ok(s) => std::fs::write(&a[1], tickwire_sbe::rust_source(&s, "::tickwire_codecs")).unwrap(),
        Err(e) => println!("{e}"),
    }
}
