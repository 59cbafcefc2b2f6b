"""How the tables came to be: one Alembic migration for each version of them."""
