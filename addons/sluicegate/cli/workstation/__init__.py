"""What a workstation needs so that its tools go through the gateway: where it is, what to trust, which variables."""
