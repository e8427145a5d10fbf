//! The meaning of numbers of a schema, from `semanticType`, `timeUnit` and `epoch`: for `dump`, for
//! generated code and for `diff`.

use crate::ir::{Composite, Field, Kind, Schema, TimeUnit};

/// The meaning of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Units since 1970.
    Instant(TimeUnit),
    /// Units since midnight.
    TimeOfDay(TimeUnit),
    /// Days since 1970.
    Date,
    /// A number of whole units.
    Whole,
}

/// Semantic types of numbers that are counted from some beginning.
const TIMES: [&str; 4] = ["UTCTimestamp", "UTCTimeOnly", "UTCDateOnly", "LocalMktDate"];

/// `epoch` in one spelling: the default is Unix's.
fn epoch(word: &str) -> String {
    let word = word.to_ascii_lowercase();
    if word.is_empty() { "unix".into() } else { word }
}

impl Field {
    /// The meaning of a single number. `None` if the schema has none, or an unknown one: a time of another
    /// epoch or in another unit.
    ///
    /// A time without a unit is in nanoseconds (SBE 1.0, "Date and time encoding"). `timeUnit` alone makes
    /// a time too, unless the schema calls it one of another kind.
    pub(crate) fn meaning(&self) -> Option<Meaning> {
        let is_known = self.other_unit.is_empty() && epoch(&self.epoch) == "unix";
        let unit = self.time_unit.unwrap_or(TimeUnit::Nanosecond);
        match self.semantic_type.as_str() {
            "Qty" => Some(Meaning::Whole),
            _ if !is_known => None,
            "UTCTimestamp" => Some(Meaning::Instant(unit)),
            "" => self.time_unit.map(Meaning::Instant),
            "UTCTimeOnly" => Some(Meaning::TimeOfDay(unit)),
            "UTCDateOnly" | "LocalMktDate" => Some(Meaning::Date),
            _ => None,
        }
    }

    /// The unit of a time, with its name in the schema; `None` if the number is not a time.
    pub(crate) fn unit_word(&self) -> Option<&str> {
        let is_time = ["UTCTimestamp", "UTCTimeOnly"].contains(&self.semantic_type.as_str());
        match self.time_unit {
            Some(unit) => Some(unit.name()),
            None if !self.other_unit.is_empty() => Some(&self.other_unit),
            None => is_time.then(|| TimeUnit::Nanosecond.name()),
        }
    }

    /// Whether the schema declares the number as a time.
    pub(crate) fn is_called_time(&self) -> bool {
        TIMES.contains(&self.semantic_type.as_str())
    }

    /// The epoch of a number, in one spelling.
    pub(crate) fn epoch_word(&self) -> String {
        epoch(&self.epoch)
    }
}

impl Composite {
    /// Whether a number and its unit are an instant, where they are called `semantic_type` and count from
    /// `since`. A time of the day has the same two members (SBE 1.0, "Time of day").
    pub(crate) fn is_instant(&self, semantic_type: &str, since: &str) -> bool {
        ["", "UTCTimestamp"].contains(&semantic_type) && self.is_unix(since)
    }

    /// Whether they are a time of the day.
    pub(crate) fn is_time_of_day(&self, semantic_type: &str, since: &str) -> bool {
        semantic_type == "UTCTimeOnly" && self.is_unix(since)
    }

    fn is_unix(&self, since: &str) -> bool {
        let mut of_members = self.members.iter().map(|m| m.epoch.as_str());
        epoch(since) == "unix" && of_members.all(|word| epoch(word) == "unix")
    }
}

impl Schema {
    /// The numbers of a unit's kind with their decimal places of a second, the finest first: by the names
    /// of an enum's values, else as the standard numbers them.
    pub(crate) fn units(&self, kind: Kind) -> Vec<(i128, u32)> {
        let mut units = TimeUnit::ALL
            .map(|unit| (unit.places().into(), unit.places()))
            .to_vec();
        if let Kind::Enum(index) = kind {
            let values = &self.enums[index].values;
            let named: Vec<_> = TimeUnit::ALL
                .iter()
                .filter_map(|unit| {
                    let value = values
                        .iter()
                        .find(|v| v.name.eq_ignore_ascii_case(unit.name()))?;
                    Some((value.value, unit.places()))
                })
                .collect();
            if !named.is_empty() {
                units = named;
            }
        }
        units.reverse();
        units
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::diff::diff;
    use crate::dynamic::decode;
    use crate::ir::Schema;
    use crate::rust_source;

    /// Message 7 with one field `f`, which has these attributes, of a type among `types`.
    fn schema(types: &str, field: &str) -> Schema {
        let text = format!(
            r#"<messageSchema id="1" version="1"><types>{types}<composite name="messageHeader">
<type name="blockLength" primitiveType="uint8"/><type name="templateId" primitiveType="uint8"/>
<type name="schemaId" primitiveType="uint8"/><type name="version" primitiveType="uint8"/></composite></types>
<message name="m" id="7"><field name="f" id="1" {field}/></message></messageSchema>"#
        );
        Schema::parse(&text, Path::new("s.xml"), None).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// As JSON, `f` of the block.
    fn shown(schema: &Schema, block: &[u8]) -> String {
        let length = u8::try_from(block.len()).unwrap();
        let mut out = String::new();
        let decoded = decode(schema, &[&[length, 7, 1, 1], block].concat()).unwrap();
        decoded.write_json(&mut out).unwrap();
        let (_, f) = out.split_once(r#""f":"#).unwrap();
        f.trim_end_matches('}').to_owned()
    }

    fn has_timestamp(schema: &Schema) -> bool {
        rust_source(schema, "c").contains("timestamp(")
    }

    const MS_FIVE: [u8; 8] = [5, 0, 0, 0, 0, 0, 0, 0];

    /// Of another epoch or in another unit, a number is a number to `dump` and to generated code.
    #[test]
    fn times_that_are_not_known_are_numbers() {
        let time = r#"type="uint64" semanticType="UTCTimestamp""#;
        for (more, is_known) in [
            ("", true),
            (r#"epoch="Unix""#, true),
            (r#"epoch="gps""#, false),
            (r#"timeUnit="nanossecond""#, true),
            (r#"timeUnit="minute""#, false),
        ] {
            let schema = schema("", &format!("{time} {more}"));
            let text = match is_known {
                true => r#""1970-01-01T00:00:00.000000005Z""#,
                false => "5",
            };
            assert_eq!(shown(&schema, &MS_FIVE), text, "{more}");
            assert_eq!(has_timestamp(&schema), is_known, "{more}");
        }
        // Misspelled, they are what they begin with.
        for (word, text) in [
            ("milliseconds", "00.005Z"),
            ("Micros", "00.000005Z"),
            ("seconds", "05Z"),
        ] {
            let schema = schema("", &format!(r#"{time} timeUnit="{word}""#));
            let text = format!(r#""1970-01-01T00:00:{text}""#);
            assert_eq!(shown(&schema, &MS_FIVE), text, "{word}");
        }
        let schema = schema("", r#"type="uint64" timeUnit="minute""#);
        assert!(!has_timestamp(&schema));
        let warnings: Vec<_> = schema.warnings.iter().map(|w| w.what.as_str()).collect();
        assert_eq!(warnings, [r#"`timeUnit="minute"` of <field>"#]);
    }

    #[test]
    fn composites_of_time_and_unit() {
        let of = |attrs: &str, unit: &str| {
            format!(
                r#"<enum name="U" encodingType="uint8"><validValue name="nanosecond">0</validValue><validValue name="second">1</validValue></enum>
<composite name="T" {attrs}><type name="time" primitiveType="uint32"/>{unit}</composite>"#
            )
        };
        let millis = r#"<type name="unit" primitiveType="uint8" presence="constant">3</type>"#;
        let (five, day) = ([5, 0, 0, 0], [0, 0x5c, 0x26, 5]); // 86 400 000
        for (attrs, block, text, is_instant) in [
            ("", five, r#""1970-01-01T00:00:00.005Z""#, true),
            (
                r#"semanticType="UTCTimestamp""#,
                five,
                r#""1970-01-01T00:00:00.005Z""#,
                true,
            ),
            (
                r#"semanticType="UTCTimeOnly""#,
                five,
                r#""00:00:00.005Z""#,
                false,
            ),
            (
                r#"semanticType="UTCTimeOnly""#,
                day,
                r#"{"time":86400000,"unit":3"#,
                false,
            ),
            (r#"epoch="midnight""#, five, r#"{"time":5,"unit":3"#, false),
        ] {
            let schema = schema(&of(attrs, millis), r#"type="T""#);
            assert_eq!(shown(&schema, &block), text, "{attrs}");
            assert_eq!(has_timestamp(&schema), is_instant, "{attrs}");
        }
        // A unit is known by its name, whatever its number is.
        let schema = schema(&of("", r#"<ref name="unit" type="U"/>"#), r#"type="T""#);
        let nanos = shown(&schema, &[5, 0, 0, 0, 0]);
        assert_eq!(nanos, r#""1970-01-01T00:00:00.000000005Z""#);
        assert_eq!(
            shown(&schema, &[5, 0, 0, 0, 1]),
            r#""1970-01-01T00:00:05Z""#
        );
    }

    /// Generated code takes members whatever their case, and so does `dump`.
    #[test]
    fn members_of_a_decimal_in_capitals() {
        let types = r#"<composite name="D"><type name="Mantissa" primitiveType="int32"/><type name="Exponent" primitiveType="int8"/></composite>"#;
        let schema = schema(types, r#"type="D""#);
        assert_eq!(shown(&schema, &[5, 0, 0, 0, 0xfe]), r#""0.05""#);
    }

    /// The bytes are the same and what they say is not.
    #[test]
    fn another_unit_or_epoch_breaks() {
        let of = |more: &str| schema("", &format!(r#"type="uint64" {more}"#));
        let time = r#"semanticType="UTCTimestamp""#;
        let cases = [
            (
                time.to_owned(),
                format!(r#"{time} timeUnit="nanosecond""#),
                None,
            ),
            (
                time.to_owned(),
                format!(r#"{time} timeUnit="microsecond""#),
                Some("BREAKS m.f: time unit was nanosecond, is microsecond"),
            ),
            (
                r#"timeUnit="minute""#.to_owned(),
                r#"timeUnit="second""#.to_owned(),
                Some("BREAKS m.f: time unit was minute, is second"),
            ),
            (
                String::new(),
                r#"timeUnit="second""#.to_owned(),
                Some("ok     m.f: time unit is second now"),
            ),
            (
                r#"timeUnit="second""#.to_owned(),
                String::new(),
                Some("ok     m.f: time unit was second, and is absent now"),
            ),
            (time.to_owned(), format!(r#"{time} epoch="UNIX""#), None),
            (
                time.to_owned(),
                r#"semanticType="UTCTimeOnly""#.to_owned(),
                Some("BREAKS m.f: semanticType was UTCTimestamp, is UTCTimeOnly"),
            ),
            (
                r#"semanticType="Qty""#.to_owned(),
                r#"semanticType="SeqNum""#.to_owned(),
                Some("ok     m.f: semanticType was Qty, is SeqNum"),
            ),
            (String::new(), r#"semanticType="Qty""#.to_owned(), None),
            (
                time.to_owned(),
                format!(r#"{time} epoch="gps""#),
                Some("BREAKS m.f: epoch was unix, is gps"),
            ),
        ];
        for (was, now, change) in cases {
            let (was, now) = (of(&was), of(&now));
            let found: Vec<_> = diff(&was, &now).iter().map(ToString::to_string).collect();
            assert_eq!(found, change.into_iter().collect::<Vec<_>>());
            let is_breaking = change.is_some_and(|c| c.starts_with("BREAKS"));
            if is_breaking {
                assert_ne!(was.fingerprint(), now.fingerprint());
            }
        }
        let member = |unit: &str| {
            let types = format!(
                r#"<composite name="C"><type name="at" primitiveType="uint64" timeUnit="{unit}"/></composite>"#
            );
            schema(&types, r#"type="C""#)
        };
        let found = diff(&member("second"), &member("millisecond"));
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["BREAKS C.at: time unit was second, is millisecond"]);
    }
}
