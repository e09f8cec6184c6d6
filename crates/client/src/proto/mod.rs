//! The etcd v3 API and gRPC's health service as Rust types, generated from the `proto` folder at
//! the root of the repository by `proto/generate.sh` and committed. Do not edit the other files
//! of this folder. `etcd-api` serves these types, [`crate::etcd`] speaks them.

/// Keys and events.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod mvccpb {
    include!("mvccpb.rs");
}

/// The services KV, Watch, Lease, Cluster and Maintenance.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod etcdserverpb {
    include!("etcdserverpb.rs");
}

/// gRPC's standard health service.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod health {
    include!("grpc.health.v1.rs");
}
