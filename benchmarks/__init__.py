"""Time and memory of the engine beside others: `make bench`, or `python -m benchmarks --help`.

A race runs its contestants in turns, round by round, in one process and on the same number of threads, after checking
that they agree on the numbers; what it reports is the median ratio of two times of the same round. The other benchmarks
measure fresh processes. No figure here is ever a test's assertion.
"""
