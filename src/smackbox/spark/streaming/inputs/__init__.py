"""Sources of a stream other than one topic alone: each gives records, and plans by which they are read again."""
