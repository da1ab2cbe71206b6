"""One hypothesis profile for all tests: the same examples in every run, and no deadlines."""

from hypothesis import settings

settings.register_profile("probe", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("probe")
