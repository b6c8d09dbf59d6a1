"""Telling people that a request waits: a link and no data, from an outbox, tried again until it arrives."""
