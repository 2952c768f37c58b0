"""Where shared and lasting state lives: in the process with SQLite, or in redis."""
