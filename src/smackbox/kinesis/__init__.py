"""Reading Kinesis' streams: which shards, in which order, from where; aggregated records taken apart."""
