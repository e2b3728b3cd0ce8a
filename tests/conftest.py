"""Settings that every test shares."""

import signal

from hypothesis import HealthCheck, settings

# Busy machines are slow ones: a test fails for what it finds, not for how long it took. And it
# finds the same today as yesterday: what chance turns up once in a thousand runs is no fault of
# whoever changed something else that day. `--hypothesis-profile=search` tries others every time.
settings.register_profile(
    "search", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("pmo", settings.get_profile("search"), derandomize=True)
settings.load_profile("pmo")

# What a script starts in the background is deaf to Ctrl-C, and so is whatever that starts: the
# programs that tests end by it would not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.postgres", "tests.stores", "tests.kafka_broker", "tests.npm"]
