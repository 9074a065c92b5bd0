"""Request path 3: the database is the truth. Only this package imports SQLAlchemy."""
