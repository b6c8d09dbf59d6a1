"""The ledger: an RFC 6962 Merkle log over everything recorded, in the C2SP formats, and what is needed to prove it.

Pure: values and bytes in, values and bytes out. Files are touched by `store.py` (reading) and `writer.py` alone.
"""
