"""Real clients against a running gateway. `make test-clients` runs these, `make test` does not."""
