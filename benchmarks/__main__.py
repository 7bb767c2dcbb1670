"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# Each of these libraries reads one of them, once, when it is loaded: so they are set before NumPy is imported.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks that the command line names, all of them if none; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time and memory beside other engines.")
    parser.add_argument("names", nargs="*", metavar="benchmark", help="which to run (default: all)")
    parser.add_argument("--vs", nargs="+", metavar="NAME", help="only against these (default: all that are installed)")
    parser.add_argument("--rounds", type=int, default=31, help="how often each contestant has its turn (default: 31)")
    parser.add_argument("--threads", type=int, default=2, help="threads of every contestant (default: 2)")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="where the JSON goes")
    parser.add_argument("--list", action="store_true", help="list the benchmarks, and what each is measured against")
    options = parser.parse_args(arguments)
    for name in THREADS:
        os.environ[name] = str(options.threads)

    from benchmarks import report
    from benchmarks.workloads import WORKLOADS

    if options.list:
        for name, workload in WORKLOADS.items():
            print(f"{name:22} {workload.what}\n{'':22} against: {', '.join(workload.rivals)}")
        return 0
    unknown = [name for name in options.names if name not in WORKLOADS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")

    results = report.Results(options.threads)
    for name in options.names or WORKLOADS:
        workload = WORKLOADS[name]
        rivals = [r for r in workload.rivals if options.vs is None or r in options.vs]
        results.add(name, workload.run(rivals, options.rounds, options.threads))
    print(f"\nwritten to {results.write(options.results)}")
    return 0 if results.agree else 1


if __name__ == "__main__":
    sys.exit(main())
