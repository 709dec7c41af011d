"""What the services tell each other, as a page for people and a document for machines."""
