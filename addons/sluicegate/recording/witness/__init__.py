"""Witnesses (C2SP tlog-witness): they hold state outside the gateway, and sign heads that continue what they saw."""
