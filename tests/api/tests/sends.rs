//! What a wrong call of the public surface is told by the compiler.

/// `#[diagnostic::on_unimplemented]` of `BinaryPayload`: without it the compiler proposes a byte
/// string, which is sent as a binary message.
#[test]
fn text_that_is_sent_as_binary_does_not_compile_and_send_text_is_named() {
    trybuild::TestCases::new().compile_fail("tests/send_errors/*.rs");
}
