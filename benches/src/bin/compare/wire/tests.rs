use super::*;

#[test]
fn a_masked_frame_is_the_one_of_rfc_6455_section_5_7() {
    let mut out = Vec::new();
    masked_frame(&mut out, 0x81, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
    assert_eq!(
        out,
        [
            0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58
        ]
    );
}

#[test]
fn every_length_form_is_read_back() {
    for length in [0, 1, 125, 126, 127, 0xFFFF, 0x1_0000] {
        let mut sent = vec![0; length];
        fill(&mut sent, Content::Binary, 7);
        let mut out = Vec::new();
        unmasked_frame(&mut out, BINARY, &sent);
        let mut got = Vec::new();
        let mut rest = &out[..];
        assert_eq!(read_frame(&mut rest, &mut got, length).unwrap(), BINARY);
        assert_eq!(got, sent);
        assert!(rest.is_empty());
    }
}

#[test]
fn an_oversized_or_masked_frame_is_refused() {
    let mut out = Vec::new();
    unmasked_frame(&mut out, BINARY, &[0; 200]);
    assert!(read_frame(&mut &out[..], &mut Vec::new(), 199).is_err());
    out.clear();
    masked_frame(&mut out, BINARY, b"x", [1, 2, 3, 4]);
    assert!(read_frame(&mut &out[..], &mut Vec::new(), 199).is_err());
}

#[test]
fn no_mask_key_holds_a_zero_byte() {
    assert!((0..100_000).all(|sequence| !mask_key(sequence).contains(&0)));
}
