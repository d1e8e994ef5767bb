"""What all tests share."""

from hypothesis import settings

pytest_plugins = ["pytester"]

settings.register_profile("house", deadline=None)  # a busy machine is no failure
settings.load_profile("house")
