"""Drivers as Mesos tasks: the queue of them, Spark's REST submission protocol, and a submission that waits."""
