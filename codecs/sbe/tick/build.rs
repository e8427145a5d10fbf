//! Generates the module.

use tickwire_sbe::{GenerateError, Generator};

fn main() -> Result<(), GenerateError> {
    Generator::new()
        .schema("../schemas/tick.xml")
        .out("tick.rs")
        .generate()?;
    Ok(())
}
