"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# Each of these libraries reads one of them, once, when it is loaded: so they are set before NumPy is imported.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# They hold OpenBLAS, and it alone, to the kernels of some other processor.
KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks that the command line names, all of them if none; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time and memory beside other engines.")
    parser.add_argument("names", nargs="*", metavar="benchmark", help="which to run (default: all)")
    parser.add_argument("--vs", nargs="+", metavar="NAME", help="only against these (default: all that are installed)")
    parser.add_argument("--rounds", type=int, help="how often each has its turn (default: up to 31, fewer if slow)")
    parser.add_argument("--threads", type=int, default=2, help="threads of every contestant (default: 2)")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="where the files go")
    parser.add_argument("--profile", action="store_true", help="show where our own time goes, by file, and race nobody")
    parser.add_argument("--list", action="store_true", help="list the benchmarks, and what each is measured against")
    parser.add_argument(
        "--keep-kernels",
        action="store_true",
        help=f"leave {' and '.join(KERNELS)} as they are, if set (default: unset)",
    )
    options = parser.parse_args(arguments)
    for name in THREADS:
        os.environ[name] = str(options.threads)
    for name in KERNELS:
        if name in os.environ and not options.keep_kernels:
            print(f"{name}={os.environ.pop(name)} unset: every library picks kernels for this processor by itself")
    pin(options.threads)

    from benchmarks import report
    from benchmarks.race import RIVALS, installed
    from benchmarks.workloads import RACES, WORKLOADS

    for what, known, given in (("benchmark", WORKLOADS, options.names), ("engine", RIVALS, options.vs or ())):
        unknown = [name for name in given if name not in known]
        if unknown:
            parser.error(f"no {what} {', '.join(unknown)}; there are {', '.join(known)}")
    wanted = [name for name in RIVALS if options.vs is None or name in options.vs]
    chosen = {name: WORKLOADS[name] for name in options.names or WORKLOADS}
    if options.list:
        for name, workload in chosen.items():
            print(f"{name:22} {workload.what}\n{'':22} against: {', '.join(workload.against(wanted)) or 'nothing'}")
        return 0

    if options.profile:
        if other := [name for name in options.names if name not in RACES]:
            parser.error(f"no profile of {', '.join(other)}: only of what is raced, {', '.join(RACES)}")
        for name in options.names or RACES:
            RACES[name].profile(options.threads)
        return 0

    results = report.Results(options.threads)
    for name in wanted:
        if not installed(name):
            print(f"not installed: {name}")
    for name, workload in chosen.items():
        try:
            results.add(name, workload.run(wanted, options.rounds, options.threads))
        except RuntimeError as error:  # a process failed: the others still run
            print(f"   FAILED: {error}", flush=True)
            results.agree = False
    print()
    print(results.table())
    for path in results.write(options.results):
        print(f"written: {path}")
    return 0 if results.agree else 1


def pin(threads: int) -> None:
    """Keep this process and all that it starts to as many cores, one processor of each core before a second.

    JAX makes as many threads as it may use cores, and has no other knob; to all others it is no loss.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    order = sorted(os.sched_getaffinity(0), key=lambda cpu: (place_in_core(cpu), cpu))
    os.sched_setaffinity(0, order[:threads])


def place_in_core(cpu: int) -> int:
    """Return which of its core's processors this is."""
    try:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text().strip()
    except OSError:
        return 0
    first = int(siblings.replace("-", ",").split(",")[0])
    return cpu - first


if __name__ == "__main__":
    sys.exit(main())
