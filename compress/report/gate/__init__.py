"""Does a run hold what its gate asks for? Pure: records in, answers out."""
