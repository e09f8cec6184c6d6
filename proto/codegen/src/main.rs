//! Compiles the `.proto` files to Rust without `protoc`.
#![forbid(unsafe_code)]

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no parent folder")?;
    let out = proto.join("../crates/client/src/proto");
    let files = protox::compile(
        ["kv.proto", "rpc.proto", "health.proto"],
        [proto.join("etcd"), proto.join("grpc")],
    )?;
    tonic_prost_build::configure()
        .bytes(".")
        .build_transport(true)
        .out_dir(&out)
        .compile_fds(files)?;
    Ok(())
}
