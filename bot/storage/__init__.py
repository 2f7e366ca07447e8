"""What survives a restart: the database, the jobs in it, and the pictures beside it."""
