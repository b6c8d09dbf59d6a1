"""Small summaries of many events: how often, how many different ones, was it ever seen, how much is usual, and when.

Each has a size that does not grow with what it is given, and packs into plain values.
"""
