"""The calculations: a table in, a table out."""
