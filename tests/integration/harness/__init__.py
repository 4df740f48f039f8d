"""Private instances of saslatchd and of the programs that ask it, for tests.

Everything lives in a temporary directory, listens on loopback ports the kernel chose, and is ended
by the process id it was started with. No service or configuration of the machine is touched.
"""
