"""The commands people type; the only place that prints."""

import signal
import sys

# While `python -m` looks for the program: until that runs, Ctrl-C ends it in silence.
if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
