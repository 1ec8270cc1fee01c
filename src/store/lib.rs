//! Adapters of the event log: sled and memory; envelopes and upcasters.
