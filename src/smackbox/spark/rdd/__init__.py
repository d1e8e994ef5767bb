"""RDDs on an engine of our own: PySpark's names and behaviour, no JVM."""
