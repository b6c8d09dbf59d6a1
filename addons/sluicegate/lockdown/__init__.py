"""Which connections may exist at all: hosts, protocols, addresses."""
