//! The simulated Concordium chain: the node's gRPC v2 on a real socket.
