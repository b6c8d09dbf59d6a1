"""Between workers and the one process that records: what they say to each other, and both ends of it."""
