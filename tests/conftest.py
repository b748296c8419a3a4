"""Tests are the same every time: hypothesis draws the same examples, and nothing reads the settings of this machine."""

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: tests run side by side, a core each

from hypothesis import settings

settings.register_profile("compress", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("compress")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what it starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
