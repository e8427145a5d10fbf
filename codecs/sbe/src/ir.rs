//! The intermediate representation of a schema, for the generator, the dynamic decoder and the differ: all
//! types are resolved, all offsets are computed, and names are as in the schema.

use std::path::PathBuf;

use crate::error::SchemaWarning;

/// A resolved schema.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Schema {
    /// `package`.
    pub package: String,
    /// `id`, as message headers carry it.
    pub id: u32,
    /// `version`: the largest `sinceVersion` in the schema.
    pub version: u32,
    /// `semanticVersion`, free text.
    pub semantic_version: String,
    /// `description`.
    pub description: String,
    /// Order of the bytes in every number.
    pub byte_order: ByteOrder,
    /// The composite before each message, by index into [`Schema::composites`].
    pub header: Header,
    /// The composites before groups, each once.
    pub dimensions: Vec<Dimension>,
    /// Enums in the order of the schema.
    pub enums: Vec<Enum>,
    /// Sets in the order of the schema.
    pub sets: Vec<Set>,
    /// Composites that are read as values, headers or group dimensions.
    pub composites: Vec<Composite>,
    /// Messages in the order of the schema.
    pub messages: Vec<Message>,
    /// Skipped parts that may be significant: attributes that SBE does not have, and elements of other
    /// vocabularies; each kind once, at most 100. Attributes of other namespaces are not included.
    pub warnings: Vec<SchemaWarning>,
    /// Every file read: the schema, then what it includes.
    pub files: Vec<PathBuf>,
}

/// Order of bytes in a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// The least significant byte first.
    Little,
    /// The most significant byte first.
    Big,
}

/// The primitive types of SBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the definition")]
pub enum Prim {
    Char,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Float,
    Double,
}

/// The type of a field or of a member of a composite. Indices refer to the lists of the [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// One number or character.
    Prim(Prim),
    /// An array of fixed length.
    Array(Prim, usize),
    /// [`Schema::enums`].
    Enum(usize),
    /// [`Schema::sets`].
    Set(usize),
    /// [`Schema::composites`].
    Composite(usize),
}

/// A number or text of the schema: a constant or a null value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Literal {
    /// Integers, and characters as their code.
    Int(i128),
    /// Floating point; NaN is the default null value.
    Float(f64),
    /// Character arrays.
    Text(Vec<u8>),
    /// `Enum.Value`: indices into [`Schema::enums`] and [`Enum::values`].
    EnumValue(usize, usize),
}

/// The presence of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Presence {
    /// Always a value.
    Required,
    /// Optional, with its null value. The null value of a composite is that of its first member: see
    /// [`Composite::first`]. `None` if the kind has no null value: sets, arrays of numbers, and composites
    /// that begin with one.
    Optional(Option<Literal>),
    /// Not on the wire at all.
    Constant(Literal),
}

/// A fixed field of a message or group, or a member of a composite.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Field {
    /// Name as in the schema.
    pub name: String,
    /// Field id; composite members have none.
    pub id: Option<u32>,
    /// The schema version that added it; 0 if it is as old as its container.
    pub since: u32,
    /// Free text.
    pub description: String,
    /// Byte offset in its block or composite.
    pub offset: usize,
    /// Bytes on the wire; 0 for constants.
    pub size: usize,
    /// Its type.
    pub kind: Kind,
    /// Required, optional or constant.
    pub presence: Presence,
    /// `semanticType` of the field, else that of its type; empty if neither has one.
    pub semantic_type: String,
    /// `timeUnit` of the field, else that of its type.
    pub time_unit: Option<TimeUnit>,
    /// `timeUnit` if it is not the name of a [`TimeUnit`]; otherwise empty.
    pub other_unit: String,
    /// `epoch` of the field, else that of its type; empty for the default, the Unix epoch.
    pub epoch: String,
}

/// The unit of a time (SBE 1.0, "Date and time encoding").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the definition")]
pub enum TimeUnit {
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

/// An enumeration.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Enum {
    /// Name as in the schema.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Wire type: an integer or `char`.
    pub prim: Prim,
    /// The null value of optional fields.
    pub null: i128,
    /// Whether the encoding type is optional, which makes every field of this type optional.
    pub optional: bool,
    /// The valid values, in the order of the schema.
    pub values: Vec<EnumValue>,
}

/// One valid value of an enumeration.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EnumValue {
    /// Name as in the schema.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Wire value.
    pub value: i128,
    /// The schema version that added it.
    pub since: u32,
}

/// A set of flags.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Set {
    /// Name as in the schema.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Wire type: an unsigned integer.
    pub prim: Prim,
    /// Flags in the order of the schema.
    pub choices: Vec<Choice>,
}

/// One flag of a set.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Choice {
    /// Name as in the schema.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Bit position, 0 is the lowest.
    pub bit: u32,
    /// The schema version that added it.
    pub since: u32,
}

/// Members at fixed offsets.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Composite {
    /// Name as in the schema.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Bytes on the wire.
    pub size: usize,
    /// Members by ascending offset.
    pub members: Vec<Field>,
    /// `semanticType`, empty where there is none.
    pub semantic_type: String,
    /// `epoch`; empty for the default, the Unix epoch.
    pub epoch: String,
    /// The use of the composite.
    pub role: Role,
}

/// The use of a composite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The type of fields.
    Value,
    /// The message header.
    Header,
    /// The dimension of a repeating group: members `blockLength` and `numInGroup`.
    Dimension,
}

/// The message header, by member index into its composite.
///
/// The composite may have additional members, in any order. They are values of the sender, and the layout of
/// a message does not depend on them: see [`Header::is_layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// Index into [`Schema::composites`].
    pub composite: usize,
    /// Member `blockLength`.
    pub block_length: usize,
    /// Member `templateId`.
    pub template_id: usize,
    /// Member `schemaId`.
    pub schema_id: usize,
    /// Member `version`.
    pub version: usize,
    /// The members with the numbers of groups and data of the message.
    pub counts: Counts,
}

/// The dimension of a repeating group, by member index into its composite. Other members as in [`Header`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dimension {
    /// Index into [`Schema::composites`].
    pub composite: usize,
    /// Member `blockLength`.
    pub block_length: usize,
    /// Member `numInGroup`.
    pub num_in_group: usize,
    /// The members with the numbers of groups and data of each entry.
    pub counts: Counts,
}

/// The members of a header or dimension that count what follows a block at its own level (SBE 1.0,
/// "Message header schema"); unsigned and on the wire, as the lengths are.
///
/// A writer writes the numbers of groups and data of the schema. A reader uses the members only if the
/// version of the sender is newer than the schema: the additional groups stand before the data, and the
/// reader skips them. For known versions a reader ignores the members, because the encoders of the reference
/// implementation leave them to their callers. The null value of the type means an unknown number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Member `numGroups`.
    pub groups: Option<usize>,
    /// Member `numVarDataFields`.
    pub data: Option<usize>,
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// Name as in the schema.
    pub name: String,
    /// Template id.
    pub id: u32,
    /// The schema version that added it.
    pub since: u32,
    /// Free text.
    pub description: String,
    /// Fields, groups and data.
    pub body: Body,
}

/// What messages and group entries consist of, in wire order: block, groups, data.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Body {
    /// Bytes of the block of fixed fields, padding included.
    pub block_length: usize,
    /// Fixed fields by ascending offset; constants in the schema's order among them.
    pub fields: Vec<Field>,
    /// Repeating groups in wire order.
    pub groups: Vec<Group>,
    /// Variable data in wire order.
    pub data: Vec<Data>,
}

/// A repeating group.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// Name as in the schema.
    pub name: String,
    /// Field id.
    pub id: u32,
    /// The schema version that added it; 0 if it is as old as its container.
    pub since: u32,
    /// Free text.
    pub description: String,
    /// The dimension composite, by index into [`Schema::composites`].
    pub dimension: usize,
    /// One entry.
    pub body: Body,
}

/// Variable-length data.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Data {
    /// Name as in the schema.
    pub name: String,
    /// Field id.
    pub id: u32,
    /// The schema version that added it; 0 if it is as old as its container.
    pub since: u32,
    /// Free text.
    pub description: String,
    /// Wire type of the length prefix.
    pub length: Prim,
    /// Whether its character encoding is UTF-8 or ASCII.
    pub text: bool,
}

impl Prim {
    /// Bytes on the wire.
    pub fn size(self) -> usize {
        match self {
            Self::Char | Self::Int8 | Self::Uint8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 | Self::Float => 4,
            Self::Int64 | Self::Uint64 | Self::Double => 8,
        }
    }

    /// The name in a schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Char => "char",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Float => "float",
            Self::Double => "double",
        }
    }

    /// The primitive type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }

    pub(crate) const ALL: [Self; 11] = [
        Self::Char,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Uint8,
        Self::Uint16,
        Self::Uint32,
        Self::Uint64,
        Self::Float,
        Self::Double,
    ];

    /// Whether it is `uint8`..`uint64`.
    pub fn is_unsigned(self) -> bool {
        matches!(
            self,
            Self::Uint8 | Self::Uint16 | Self::Uint32 | Self::Uint64
        )
    }

    /// Smallest and largest integer; `None` for floating point.
    pub fn range(self) -> Option<(i128, i128)> {
        let bits = self.size() as u32 * 8;
        match self {
            Self::Float | Self::Double => None,
            Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64 => {
                Some((-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1))
            }
            _ => Some((0, (1i128 << bits) - 1)),
        }
    }

    /// The default null value (SBE 1.0, section 2.4.3): the smallest signed integer, the largest unsigned
    /// integer, 0 for characters, NaN for floating point.
    pub fn null(self) -> Literal {
        match (self, self.range()) {
            (Self::Char, _) => Literal::Int(0),
            (p, Some((_, max))) if p.is_unsigned() => Literal::Int(max),
            (_, Some((min, _))) => Literal::Int(min),
            (_, None) => Literal::Float(f64::NAN),
        }
    }
}

impl TimeUnit {
    /// The name in a schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Millisecond => "millisecond",
            Self::Microsecond => "microsecond",
            Self::Nanosecond => "nanosecond",
        }
    }

    /// The decimal places of a second: also the number of the unit on the wire.
    pub fn places(self) -> u32 {
        match self {
            Self::Second => 0,
            Self::Millisecond => 3,
            Self::Microsecond => 6,
            Self::Nanosecond => 9,
        }
    }

    pub(crate) const ALL: [Self; 4] = [
        Self::Second,
        Self::Millisecond,
        Self::Microsecond,
        Self::Nanosecond,
    ];
}

impl Schema {
    /// Bytes of a kind on the wire.
    pub fn size_of(&self, kind: Kind) -> usize {
        match kind {
            Kind::Prim(p) => p.size(),
            Kind::Array(p, n) => p.size() * n,
            Kind::Enum(i) => self.enums[i].prim.size(),
            Kind::Set(i) => self.sets[i].prim.size(),
            Kind::Composite(i) => self.composites[i].size,
        }
    }

    /// The message of a template id.
    pub fn message(&self, template_id: u32) -> Option<&Message> {
        self.messages.iter().find(|m| m.id == template_id)
    }

    /// The types of the lengths of all data, in groups too.
    pub fn data_lengths(&self) -> impl Iterator<Item = Prim> {
        fn of(body: &Body) -> Box<dyn Iterator<Item = Prim> + '_> {
            let inside = body.groups.iter().flat_map(|g| of(&g.body));
            Box::new(body.data.iter().map(|d| d.length).chain(inside))
        }
        self.messages.iter().flat_map(|m| of(&m.body))
    }

    /// The dimension of the composite at `index`; `None` if it is not a dimension.
    pub fn dimension(&self, composite: usize) -> Option<&Dimension> {
        self.dimensions.iter().find(|d| d.composite == composite)
    }

    /// The composite before each message.
    pub fn header_composite(&self) -> &Composite {
        &self.composites[self.header.composite]
    }
}

impl Header {
    /// Whether the member of that index is `blockLength`, `templateId`, `schemaId` or `version`.
    pub fn is_length_or_id(&self, member: usize) -> bool {
        [
            self.block_length,
            self.template_id,
            self.schema_id,
            self.version,
        ]
        .contains(&member)
    }

    /// Whether the message and its schema determine the member of that index, so that a writer sets it. The
    /// sender chooses the values of all other members on the wire.
    pub fn is_layout(&self, member: usize) -> bool {
        self.is_length_or_id(member) || self.counts.contain(member)
    }
}

impl Dimension {
    /// See [`Header::is_layout`].
    pub fn is_layout(&self, member: usize) -> bool {
        [self.block_length, self.num_in_group].contains(&member) || self.counts.contain(member)
    }
}

impl Counts {
    fn contain(&self, member: usize) -> bool {
        [self.groups, self.data].contains(&Some(member))
    }
}

impl Composite {
    /// The first member with bytes, and its index in [`Composite::members`]. In an optional field of this
    /// type its null value means that the composite is null (SBE 1.0, "Null value of a composite type").
    pub fn first(&self) -> Option<(usize, &Field)> {
        self.members.iter().enumerate().find(|(_, m)| m.size > 0)
    }
}

impl Field {
    /// Whether the field occupies bytes.
    pub fn on_wire(&self) -> bool {
        !matches!(self.presence, Presence::Constant(_))
    }
}

impl Body {
    /// Whether entries of this shape all have the same length on the wire.
    pub fn is_fixed(&self) -> bool {
        self.groups.is_empty() && self.data.is_empty()
    }

    /// The numbers of groups and of data, as [`Counts`] carry them.
    pub fn counts(&self) -> (usize, usize) {
        (self.groups.len(), self.data.len())
    }
}
