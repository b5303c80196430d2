"""Programs around the service: compiling, sample data, benchmarks, test networks."""
