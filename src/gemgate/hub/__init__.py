"""The vocabulary in the middle: requests, parts and events that no wire format owns."""
