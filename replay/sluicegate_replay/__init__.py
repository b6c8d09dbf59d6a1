"""The investigator's tool: shows and plays recordings. It opens them for reading, and nothing for writing."""
