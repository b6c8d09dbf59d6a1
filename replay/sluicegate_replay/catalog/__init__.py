"""The catalog: what stands where in a folder of recordings, kept outside of it so that a million can be searched.

It is made from the recordings and can be made anew at any time. It is no evidence: what is shown of an exchange is read
from the recordings themselves.
"""
