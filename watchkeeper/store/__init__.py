"""What is kept: SQLAlchemy tables and the queries on them. SQLite by default, PostgreSQL where it is given."""
