"""Where requests go: each upstream turns a `Call` into events."""
