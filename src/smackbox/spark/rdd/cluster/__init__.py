"""Executors on a cluster: the driver's pool of them, the executors themselves, and how Mesos starts them."""
