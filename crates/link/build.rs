//! Compiles the schema without `protoc`. Messages that carry secrets get their `Debug` by hand, without them.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/link.proto");
    let files = protox::compile(["link.proto"], ["proto"])?;
    let secret = ["Credential", "KeyGrant", "Welcome"].map(|m| format!("tacit.link.v1.{m}"));
    tonic_prost_build::configure().skip_debug(secret).compile_fds(files)?;
    Ok(())
}
