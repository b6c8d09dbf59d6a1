"""Tokens for services that the provider gives the gateway on a person's behalf (OAuth 2.0 Token Exchange, RFC 8693)."""
