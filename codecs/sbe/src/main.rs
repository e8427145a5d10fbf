//! x
fn main() { 
    for p in std::env::args().skip(1) { match tickwire_sbe::Schema::read(p.as_ref(), None) { Ok(s) => println!("{p} ok {}", s.messages.len()), Err(e) => println!("{e}") } }
}
