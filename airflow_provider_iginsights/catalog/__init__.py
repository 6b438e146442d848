"""What Meta offers and what we store, as data: metrics, fields, tables, versions; and how metrics become requests."""
