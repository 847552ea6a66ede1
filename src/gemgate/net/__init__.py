"""The network, as narrow as it can be."""
