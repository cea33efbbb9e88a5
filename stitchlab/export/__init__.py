"""Makes files of results: figures, tables, reports."""
