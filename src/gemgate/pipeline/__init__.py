"""The life of one request. Read `handle` first."""
