"""How long recordings are kept: retention by kind and class, legal holds that win over it, and shredding by two people.

People ask through the console, which writes an order into the database. The gateway carries orders out, since it alone
writes the ledger: each is an entry there. A hold is a file beside the recordings, so that it is in force whatever
becomes of the database.
"""
