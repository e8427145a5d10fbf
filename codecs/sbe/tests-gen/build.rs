//! Generates the modules under test.

use tickwire_sbe::{GenerateError, Generator};

fn main() -> Result<(), GenerateError> {
    let include = "../tests/schemas/include";
    for (schema, out) in [
        ("../tests/schemas/features.xml", "features.rs"),
        ("../tests/schemas/features_v1.xml", "features_v1.rs"),
        ("../tests/schemas/big.xml", "big.rs"),
        ("../tests/schemas/counted.xml", "counted.rs"),
        ("../tests/schemas/headers.xml", "headers.rs"),
        ("../tests/schemas/names.xml", "names.rs"),
        ("../tests/schemas/padded.xml", "padded.rs"),
        ("../tests/schemas/values.xml", "values.rs"),
        ("../schemas/tick.xml", "tick.rs"),
    ] {
        Generator::new()
            .schema(schema)
            .include_base(include)
            .out(out)
            .generate()?;
    }
    Ok(())
}
