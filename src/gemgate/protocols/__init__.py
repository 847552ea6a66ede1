"""One folder for each wire format; pure: no I/O, no clock, no network."""
