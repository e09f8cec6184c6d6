#!/bin/sh
# Writes crates/client/src/proto/*.rs anew after a change of a .proto file; commit the result.
set -eu
cd "$(dirname "$0")/codegen"
cargo run --quiet
