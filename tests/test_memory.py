"""Freed memory stays in the process, unless told otherwise: seen by the pages that the kernel has to bring."""

import os
import subprocess
import sys

import numpy as np
import pytest

from autograd import memory

FAULTS = """
import resource, sys
import numpy as np
{prepare}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for round in range(40):
    if round == 20:
        before = faults()
    a = np.ones(1_000_000, np.float32)
    b = a + a
    del a, b
print(faults() - before)
"""
PAGES = 20 * 2 * 4_000_000 // 4096  # if every array comes fresh; huge pages make it fewer


def faults(prepare, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_", "GATEGRAD_"))}
    command = [sys.executable, "-c", FAULTS.format(prepare=prepare)]
    clean["NUMPY_MADVISE_HUGEPAGE"] = "0"
    done = subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


needs_glibc = pytest.mark.skipif(memory.glibc() is None, reason="another C library")


@needs_glibc
class TestKeepFreed:
    def test_importing_autograd_keeps_memory(self):
        assert faults("import autograd") < PAGES / 20

    def test_the_environment_switches_it_off(self):
        assert faults("import autograd", GATEGRAD_KEEP_FREED="0") > PAGES / 3

    def test_a_setting_of_the_users_own_stays(self):
        assert faults("import autograd", MALLOC_MMAP_THRESHOLD_="100000") > PAGES / 3

    def test_it_can_be_switched_off_later(self):
        assert faults("import autograd; from autograd.memory import keep_freed; assert keep_freed(0)") > PAGES / 3

    def test_it_holds_for_arrays_up_to_the_size(self):
        assert faults("from autograd.memory import keep_freed; keep_freed(16_000_000)") < PAGES / 20
        assert faults("from autograd.memory import keep_freed; keep_freed(1_000_000)") > PAGES / 3


class TestElsewhere:
    def test_another_c_library_is_left_alone(self, monkeypatch):
        monkeypatch.setattr(memory.sys, "platform", "win32")
        assert memory.keep_freed(1 << 30) is False


class TestAligned:
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.complex128])
    @pytest.mark.parametrize("shape", [0, 7, (), (3, 5), (1000, 33)])
    def test_it_begins_at_a_line_of_the_cache(self, shape, dtype):
        for room in [memory.aligned(shape, dtype) for _ in range(5)]:
            assert room.ctypes.data % 64 == 0 or not room.size
            assert room.dtype == dtype
            assert room.shape == (shape if isinstance(shape, tuple) else (shape,))
            assert room.flags.c_contiguous
            room[...] = 1
            assert (room == 1).all()
