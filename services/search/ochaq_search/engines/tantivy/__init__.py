"""The embedded engine: tantivy, a Lucene-like library, in this process and on this machine's disk."""
