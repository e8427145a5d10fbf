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
        self.out.doc("`id` of the schema, as in message headers.");
        self.out
            .line(&format!("pub const SCHEMA_ID: u32 = {};", schema.id));
        self.out.doc("`version` of the schema.");
        self.out.line(&format!(
            "pub const SCHEMA_VERSION: u32 = {};",
            schema.version
        ));
        self.out.doc("`semanticVersion` of the schema.");
        self.out.line(&format!(
            "pub const SEMANTIC_VERSION: &str = {};",
            string(&schema.semantic_version)
        ));
        self.out
            .doc("64-bit fingerprint of the schema. Descriptions do not change it.");
        self.out.line(&format!(
            "pub const FINGERPRINT: u64 = {:#018x};",
            schema.fingerprint()
        ));
        self.out.doc("The identifier of this format in offers: the SBE family and the low 16 bits of the schema id.");
        self.out.line(
            "pub const WIRE_ID: tw::WireId = tw::WireId::new(tw::family::SBE, SCHEMA_ID as u16);",
        );
        self.out.blank();
    }

    /// The enum of all messages, and the codec that chooses the message by the header.
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
