"""The only openers of database, tables and files."""
