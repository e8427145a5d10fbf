//! One codec for a whole schema.

use super::Generation;
use super::text::string;

impl Generation<'_> {
    pub(super) fn constants(&mut self) {
        let schema = self.schema;
        self.out.doc("`package` of the schema.");
        self.out.line(&format!(
            "pub const PACKAGE: &str = {};",
            string(&schema.package)
        ));
        self.out
            .doc("`id` of the schema, as message headers carry it.");
        self.out
            .line(&format!("pub const SCHEMA_ID: u32 = {};", schema.id));
        self.out
            .doc("`version` of the schema: the newest that this code knows.");
        self.out.line(&format!(
            "pub const SCHEMA_VERSION: u32 = {};",
            schema.version
        ));
        self.out.doc("`semanticVersion` of the schema.");
        self.out.line(&format!(
            "pub const SEMANTIC_VERSION: &str = {};",
            string(&schema.semantic_version)
        ));
        self.out.doc("64-bit digest of everything in the schema that shapes bytes or names; descriptions are left out.");
        self.out.line(&format!(
            "pub const FINGERPRINT: u64 = {:#018x};",
            schema.fingerprint()
        ));
        self.out.doc("What an offer names this format by: the SBE family and the low 16 bits of the schema id.");
        self.out.line(
            "pub const WIRE_ID: tw::WireId = tw::WireId::new(tw::family::SBE, SCHEMA_ID as u16);",
        );
        self.out.blank();
    }

    /// The enum of all messages and the codec that tells them apart by their header.
    pub(super) fn dispatch(&mut self) {
        let header = &self.names.composites[self.schema.header.composite];
        self.out.line(&format!(
            "rt::any_message!(AnyMessage, Message, {header}, SCHEMA_ID, SCHEMA_VERSION, WIRE_ID, ["
        ));
        for names in &self.names.messages {
            self.out
                .line(&format!("    {}({}),", names.marker, names.view));
        }
        self.out.line("]);");
    }
}
