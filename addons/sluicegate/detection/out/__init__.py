"""Findings for other systems: in the words of OCSF, to a file, each once."""
