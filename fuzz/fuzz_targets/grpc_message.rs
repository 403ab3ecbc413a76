//! Any bytes are decoded as a message of the gRPC stream, or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| statsig_net::fuzzing::grpc_message(bytes));
