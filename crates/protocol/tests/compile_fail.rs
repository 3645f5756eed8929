//! What holds a body, or a part of it, has no way out but the named ones: each of these programs must not compile.

#[test]
fn bodies_cannot_be_looked_at() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
