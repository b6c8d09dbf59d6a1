"""Value taint: cells that a person received, found again in what they send elsewhere. Proof, not habit.

Kept are keyed fingerprints of 64 bits, never values. What is sent is peeled of its encodings, cut into words, and
looked up; it counts by how many rows have how many of their columns in it.
"""
