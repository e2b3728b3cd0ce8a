"""Settings that every test shares."""

import signal

from hypothesis import settings

# Busy machines are slow ones: a test fails for what it finds, not for how long it took.
settings.register_profile("pmo", deadline=None)
settings.load_profile("pmo")

# What a script starts in the background is deaf to Ctrl-C, and so is whatever that starts: the
# programs that tests end by it would not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.postgres", "tests.stores", "tests.kafka_broker", "tests.npm"]
