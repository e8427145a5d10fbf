//! A module for each version of the schema. An application has one of them; this example plays
//! both ends.

use tickwire_sbe::{GenerateError, Generator};

fn main() -> Result<(), GenerateError> {
    for version in ["quote_v1", "quote_v2"] {
        Generator::new()
            .schema(format!("schemas/{version}.xml"))
            .out(format!("{version}.rs"))
            .generate()?;
    }
    Ok(())
}
