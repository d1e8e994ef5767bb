"""Reads Kinesis streams: the choice, order and positions of shards; the parsing of aggregated records."""
