"""Places for rows: CSV, Feather and Parquet files, and tables in SQLite."""
