"""Programs over event time: what they are, and the plain synchronous cores that run them batch by batch."""
