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

    pub(super) fn dispatch(&mut self) {
        let markers: Vec<_> = self
            .names
            .messages
            .iter()
            .map(|m| (m.marker.clone(), m.view.clone()))
            .collect();
        let header = self.names.composites[self.schema.header.composite].clone();
        self.out.doc("Any message of this schema, and those it does not know: skip and count them, see [`rt::Tally`].");
        self.out.line("#[derive(Clone, Copy, Debug)]");
        self.out.line("#[allow(clippy::large_enum_variant, reason = \"views live on the stack; boxing one would allocate per message\")]");
        self.out.line("pub enum Message<'a> {");
        for (marker, view) in &markers {
            self.out.doc(&format!("[`{marker}`]."));
            self.out.line(&format!("{marker}({view}<'a>),"));
        }
        self.out
            .doc("A template or schema that this code does not know.");
        self.out.line("Unknown(rt::Unknown<'a>),");
        self.out.line("}");
        self.out.blank();
        self.out.line("impl<'a> Message<'a> {");
        self.out.doc("The whole message with its header.");
        self.out.line("pub fn wire(&self) -> &'a [u8] {");
        self.out.line("match self {");
        for (marker, _) in &markers {
            self.out.line(&format!("Self::{marker}(m) => m.bytes,"));
        }
        self.out.line("Self::Unknown(m) => m.bytes,");
        self.out.line("}");
        self.out.line("}");
        self.out.doc("Which message it is.");
        // The header was read when the message was viewed.
        self.out.line(&format!(
            "pub fn template_id(&self) -> u32 {{ rt::peek::<{header}>(self.wire()).map_or(0, rt::Header::template_id) }}"
        ));
        self.out.line("}");
        self.out.blank();
        self.out.line("impl tw::ToJson for Message<'_> {");
        self.out
            .line("fn to_json(&self, out: &mut dyn ::core::fmt::Write) -> ::core::fmt::Result {");
        self.out
            .line("rt::message_to_json(self.template_id(), match self {");
        for (marker, _) in &markers {
            self.out
                .line(&format!("Self::{marker}(m) => Some((\"{marker}\", m)),"));
        }
        self.out.line("Self::Unknown(_) => None,");
        self.out.line("}, out)");
        self.out.line("}");
        self.out.line("}");
        self.out.blank();
        self.any_message(&markers, &header);
    }

    /// The codec that tells the messages apart by their header.
    fn any_message(&mut self, markers: &[(String, String)], header: &str) {
        self.out.doc("The codec of every message of this schema. Other messages give [`Message::Unknown`], not an error.");
        self.out.line("#[derive(Clone, Copy, Debug)]");
        self.out.line("pub struct AnyMessage;");
        self.out.blank();
        self.out.line("impl tw::Codec for AnyMessage {");
        self.out.line("const ID: tw::WireId = WIRE_ID;");
        self.out.line("const VERSION: u16 = SCHEMA_VERSION as u16;");
        self.out.line("type View<'a> = Message<'a>;");
        self.out.line("fn view<'a>(bytes: &'a [u8], limits: &tw::Limits) -> Result<Message<'a>, tw::DecodeError> {");
        self.out.line("limits.check_msg(bytes.len())?;");
        self.out
            .line(&format!("let h = rt::peek::<{header}>(bytes)?;"));
        self.out.line("let (template_id, schema_id, version) = (rt::Header::template_id(h), rt::Header::schema_id(h), rt::Header::version(h));");
        self.out.line("let unknown = Message::Unknown(rt::Unknown { template_id, schema_id, version, bytes });");
        self.out.line("if schema_id != SCHEMA_ID {");
        self.out.line("return Ok(unknown);");
        self.out.line("}");
        self.out.line("Ok(match template_id {");
        for (marker, _) in markers {
            self.out.line(&format!("{marker}::TEMPLATE_ID => Message::{marker}(<{marker} as tw::Codec>::view(bytes, limits)?),"));
        }
        self.out.line("_ => unknown,");
        self.out.line("})");
        self.out.line("}");
        self.out.line("}");
    }
}
