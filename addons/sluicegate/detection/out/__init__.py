"""Findings for other systems: in the words of OCSF, to a file, a syslog server or an HTTP address."""
