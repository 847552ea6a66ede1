"""The test bed: recordings, a fake Google, contract checks and a runner of the real gateway."""
