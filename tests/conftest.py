"""Settings that every test shares."""

from hypothesis import settings

# Busy machines are slow ones: a test fails for what it finds, not for how long it took.
settings.register_profile("pmo", deadline=None)
settings.load_profile("pmo")

pytest_plugins = ["tests.postgres", "tests.stores", "tests.kafka_broker", "tests.npm"]
