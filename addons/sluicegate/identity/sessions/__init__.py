"""Sessions of those who signed in: kept in the database, known to each gateway by heart, ended everywhere at once."""
