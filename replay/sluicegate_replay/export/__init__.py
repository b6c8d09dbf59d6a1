"""Exports: recorded exchanges in the forms that other tools read, with pseudonyms in the place of people."""
