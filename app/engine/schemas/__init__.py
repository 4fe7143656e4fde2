"""The typed columns of records, as views, tables and files have them."""
