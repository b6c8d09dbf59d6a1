"""What happened: intents and outcomes on the disk before bytes move, the index, and the one reader of recordings."""
