//! The x402 middleware: a tower layer and the reverse proxy made of it.
