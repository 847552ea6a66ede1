"""HTTP in: paths, credentials, bodies, errors."""
