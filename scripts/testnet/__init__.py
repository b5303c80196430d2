"""A proof-of-authority network of several organisations, from a build of geth: docs/testnet.md."""
