"""What `sluicegate login` does with the identity provider: in a browser on this machine, or on another device."""
