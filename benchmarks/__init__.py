"""Time and memory of the engine beside others: `make bench`, or `python -m benchmarks --help`.

A race runs its contestants in turns, round by round, each in a process of its own and on the same number of threads,
after checking that they agree on the numbers; what it reports is the median ratio of two times of the same round.
Memory, growth and imports are measured in fresh processes. No figure here is ever a test's assertion.
"""
