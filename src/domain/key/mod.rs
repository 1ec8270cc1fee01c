//! API keys: who may call, as whom, and for what. Counting calls against limits is not here.

pub mod scope;
