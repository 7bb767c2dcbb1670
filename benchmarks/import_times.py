"""One measurement of `benchmarks.importing`: it imports nothing before the clock starts, so that nothing is hidden."""

import time

t0 = time.perf_counter()
import numpy  # noqa: E402, F401, ICN001

t1 = time.perf_counter()
import autograd  # noqa: E402, F401

t2 = time.perf_counter()
import nn  # noqa: E402, F401
import optim  # noqa: E402, F401

t3 = time.perf_counter()

if __name__ == "__main__":
    print(f'{{"numpy": {t1 - t0}, "autograd beyond it": {t2 - t1}, "nn and optim beyond that": {t3 - t2}}}')
