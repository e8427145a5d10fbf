use tickwire_codecs::{Codec, Limits};
use tickwire_sbe_tests::big::*;

use crate::fixtures;

#[test]
fn big_endian_and_wide_headers() {
    let bytes = fixtures::big();
    #[rustfmt::skip]
    assert_eq!(bytes, [
        1, 0, 0, 0, 9, 0, 1, 0x11, 0x70, 0, 0, 0, 16, // version u8, schemaId u32, templateId u32, sender, blockLength
        1, 2, 3, 4, 5, 6, 7, 8, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, // time, value 1.0
        0, 6, 1, 0, 0xff, 0xfe, 0, 0, 0, 3, // points: blockLength, numInGroup u8, numGroups; x, y
        0, 1, 0xab, // raw
    ]);
    let view = Sample::view(&bytes, &Limits::DEVICE).unwrap();
    assert_eq!(
        (view.time(), view.value()),
        (0x0102_0304_0506_0708, Some(1.0))
    );
    assert_eq!(
        view.points()
            .iter()
            .map(|p| (p.x(), p.y()))
            .collect::<Vec<_>>(),
        [(-2, 3)]
    );
    assert_eq!(view.raw(), [0xab]);
    assert_eq!(Sample::TEMPLATE_ID, 70_000);
    assert!(matches!(
        AnyMessage::view(&bytes, &Limits::DEVICE),
        Ok(Message::Sample(_))
    ));
    let null = fixtures::encode::<Sample>(&SampleBuilder {
        header: WideHeaderMembers { sender: Some(5) },
        ..Default::default()
    });
    assert_eq!(Sample::view(&null, &Limits::DEVICE).unwrap().value(), None);
}
