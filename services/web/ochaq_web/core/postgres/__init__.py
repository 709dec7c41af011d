"""Django's database backend of this house: PostgreSQL with waits that end."""
