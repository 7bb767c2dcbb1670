"""The wheel, what importing brings along, the clash with HIPS autograd, and how the environment is set up."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

import autograd

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("autograd", "nn", "optim")


def run(*command, **kwargs):
    """Run a command away from the checkout, where its packages would be found by themselves."""
    kwargs.setdefault("cwd", "/")
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **kwargs)


@pytest.fixture(scope="module")
def numpy_alone(tmp_path_factory):
    """A folder of packages with nothing but NumPy in it."""
    folder = tmp_path_factory.mktemp("numpy")
    for part in Path(np.__file__).parent.parent.glob("numpy*"):
        (folder / part.name).symlink_to(part)
    return folder


@pytest.fixture(scope="module")
def python(numpy_alone):
    """A function that runs code in a fresh interpreter, which finds packages in the folders given and NumPy."""

    def python(code, *path):
        folders = os.pathsep.join(map(str, (*path, numpy_alone)))
        # -S: not in the environment of these tests, where our packages are installed already.
        return run(sys.executable, "-S", "-c", code, env={**os.environ, "PYTHONPATH": folders})

    return python


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # The tree as a build sees it; a build in the checkout itself would be in the way of another one.
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in (*PACKAGES, "tests", "benchmarks"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    built = run(*command, "--wheel-dir", folder, source)
    assert built.returncode == 0, built.stderr
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, numpy_alone, tmp_path_factory):
    """An environment that holds the wheel and NumPy, nothing else; its interpreter."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    interpreter = folder / "venv" / "bin" / "python"
    [packages] = (folder / "venv").glob("lib/python*/site-packages")
    for part in numpy_alone.iterdir():
        (packages / part.name).symlink_to(part)
    command = (sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet", "--no-index", wheel)
    done = run(*command)
    assert done.returncode == 0, done.stderr
    return interpreter


class TestWheel:
    def test_it_holds_the_three_packages_typed_and_nothing_else(self, wheel):
        names = zipfile.ZipFile(wheel).namelist()
        tops = {name.split("/")[0] for name in names}
        assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
        for package in PACKAGES:
            assert f"{package}/py.typed" in names
        assert any(name.endswith("licenses/LICENSE") for name in names)

    def test_it_needs_numpy_alone(self, wheel):
        with zipfile.ZipFile(wheel) as archive:
            [path] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            metadata = archive.read(path).decode().splitlines()
        needed = [line for line in metadata if line.startswith("Requires-Dist:") and "extra ==" not in line]
        assert needed == ["Requires-Dist: numpy>=2.0"]

    def test_the_readme_runs_where_there_is_numpy_alone(self, installed):
        done = run(installed, "-I", "-m", "doctest", "-o", "ELLIPSIS", ROOT / "README.md")
        assert done.returncode == 0, done.stdout + done.stderr

    def test_it_is_the_installed_packages_that_run(self, installed):
        done = run(installed, "-I", "-c", "import autograd, nn, optim; print(autograd.__file__)")
        assert done.returncode == 0, done.stderr
        assert "site-packages" in done.stdout

    def test_the_versions_agree(self, installed):
        code = "import autograd, importlib.metadata as m; assert m.version('gategrad') == autograd.__version__"
        assert run(installed, "-I", "-c", code).returncode == 0


def test_importing_loads_the_standard_library_and_numpy_only(python):
    code = """
import sys
import numpy
before = set(sys.modules)
import autograd, nn, optim
tops = {name.partition(".")[0] for name in set(sys.modules) - before if "cython" not in name}  # of numpy.random
print(*sorted(tops - set(sys.stdlib_module_names) - {"autograd", "nn", "optim", "numpy"}))
"""
    done = python(code, ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_nn_does_not_import_optim(python):
    done = python("import sys, nn; print('optim' in sys.modules)", ROOT)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize("package", ["nn", "optim"])
class TestClash:
    """HIPS autograd has our import name: whichever way the two meet, the message names the cure."""

    def fake(self, folder):
        """Write what looks like HIPS autograd into `folder`."""
        (folder / "autograd").mkdir(parents=True, exist_ok=True)
        (folder / "autograd" / "__init__.py").write_text("from .differential_operators import grad\n")
        (folder / "autograd" / "differential_operators.py").write_text("def grad(f): ...\n")
        return folder

    def ours(self, folder, *packages):
        """Copy packages of ours into `folder`, as an installer does."""
        for name in packages:
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
            )
        return folder

    def refuses(self, done, *words):
        assert done.returncode == 1
        assert "ImportError" in done.stderr
        for word in (*words, "fresh virtual environment", "pip uninstall autograd"):
            assert word in done.stderr

    def test_theirs_is_found_instead(self, package, tmp_path, python):
        done = python(f"import {package}", self.fake(tmp_path), ROOT)
        self.refuses(done, f"is found in {tmp_path / 'autograd'}")

    def test_an_editable_install_loses(self, package, tmp_path, python):
        self.fake(tmp_path)
        (tmp_path / "_gategrad.pth").write_text(f"{ROOT}\n")
        done = python(f"import site; site.addsitedir({str(tmp_path)!r}); import {package}")
        self.refuses(done, "is found in")

    def test_theirs_was_installed_over_ours(self, package, tmp_path, python):
        self.fake(self.ours(tmp_path, *PACKAGES))
        self.refuses(python(f"import {package}", tmp_path), "is mixed with files of HIPS autograd")

    def test_ours_was_installed_over_theirs(self, package, tmp_path, python):
        self.ours(self.fake(tmp_path), *PACKAGES)
        self.refuses(python(f"import {package}", tmp_path), "is mixed with files of HIPS autograd")

    def test_theirs_was_uninstalled_and_took_files_of_ours(self, package, tmp_path, python):
        self.ours(tmp_path, *PACKAGES)
        (tmp_path / "autograd" / "__init__.py").unlink()
        self.refuses(python(f"import {package}", tmp_path), "has lost its __init__.py")

    def test_there_is_none(self, package, tmp_path, python):
        self.ours(tmp_path, "nn", "optim")
        self.refuses(python(f"import {package}", tmp_path), "cannot be imported")

    def test_alone_it_is_content(self, package, tmp_path, python):
        done = python(f"import {package}", self.ours(tmp_path, *PACKAGES))
        assert done.returncode == 0, done.stderr


class TestSettingUp:
    """`.ci/venv`, by which `make` makes its environment, where Python is not all there."""

    @pytest.fixture
    def programs(self, tmp_path):
        """A PATH with nothing but what the script itself uses."""
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in ("sh", "rm", "tr"):
            found = shutil.which(name)
            assert found is not None
            (folder / name).symlink_to(found)
        return folder

    def program(self, folder, name, text):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def without_venv(self, folder):
        """Write a python3 whose distribution has split venv off, as Debian does."""
        (folder / "ensurepip.py").write_text("raise ModuleNotFoundError\n")
        return self.program(folder, "python3", f'PYTHONPATH={folder} exec {sys.executable} "$@"')

    def setup(self, programs, directory, **variables):
        environment = {"PATH": str(programs), **variables}
        return run(ROOT / ".ci" / "venv", directory, env=environment)

    def test_an_environment_is_made(self, programs, tmp_path):
        self.program(programs, "python3", f'exec {sys.executable} -c "{FAKE_VENV}" "$@"')
        done = self.setup(programs, tmp_path / "made")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "made").exists()

    def test_there_is_no_python(self, programs, tmp_path):
        done = self.setup(programs, tmp_path / "none")
        assert done.returncode == 1
        assert "needs Python 3.11 or newer" in done.stderr
        assert "sudo apt install python3 python3-venv" in done.stderr

    def test_a_newer_python_than_the_first_is_found(self, programs, tmp_path):
        self.program(programs, "python3", "exit 1")
        self.program(programs, "python3.12", f'exec {sys.executable} -c "{FAKE_VENV}" "$@"')
        assert self.setup(programs, tmp_path / "made").returncode == 0
        assert (tmp_path / "made").exists()

    def test_the_chosen_python_is_too_old(self, programs, tmp_path):
        old = self.program(programs, "old", '[ "$1" = -V ] && echo "Python 3.8.10"; exit 1')
        done = self.setup(programs, tmp_path / "none", PYTHON=str(old))
        assert done.returncode == 1
        assert "is Python 3.8.10; gategrad needs Python 3.11 or newer" in done.stderr

    def test_the_chosen_python_does_not_exist(self, programs, tmp_path):
        done = self.setup(programs, tmp_path / "none", PYTHON="python9")
        assert done.returncode == 1
        assert "PYTHON=python9: no such program" in done.stderr

    def test_venv_is_missing(self, programs, tmp_path):
        self.without_venv(programs)
        done = self.setup(programs, tmp_path / "none")
        assert done.returncode == 1
        assert "sudo apt install python3-venv" in done.stderr

    def test_uv_serves_where_venv_is_missing(self, programs, tmp_path):
        self.without_venv(programs)
        self.program(programs, "uv", 'echo "$@"')
        done = self.setup(programs, tmp_path / "made")
        assert done.returncode == 0
        assert done.stdout.split() == ["venv", "--quiet", "--seed", "--python", "python3", str(tmp_path / "made")]

    def test_uv_brings_a_python_where_there_is_none(self, programs, tmp_path):
        self.program(programs, "uv", 'echo "$@"')
        done = self.setup(programs, tmp_path / "made")
        assert done.stdout.split()[-2:] == [">=3.11", str(tmp_path / "made")]


# Answers the script's questions as a Python would, but makes a bare folder for an environment: that takes no time.
FAKE_VENV = "import sys, os; sys.argv[1] == '-m' and os.mkdir(sys.argv[3])"


@pytest.mark.parametrize(
    ("word", "instead"),
    [
        *(("exp", "NumPy's functions take tensors, np.exp"), ("cat", "NumPy's functions take tensors, np.concatenate")),
        *(("relu", "nn.functional.relu"), ("mm", "x @ y"), ("stack", "NumPy's functions take tensors, np.stack")),
        ("save", r"nn.save\(state, path\)"),
        ("cuda", "leave it out"),
        ("softmax", r"nn.functional.softmax\(t, dim\)"),
        *(("no_gard", ""), ("inference_mode", "no_grad")),
    ],
)
def test_other_names_are_looked_for_elsewhere(word, instead):
    with pytest.raises(AttributeError, match=rf"no attribute '{word}'(: )?{instead}"):
        getattr(autograd, word)


def test_python_knows_names_that_are_alike(python):
    found = python("import autograd; autograd.no_gard", ROOT)
    assert "Did you mean: 'no_grad'" in found.stderr


def test_what_nobody_has_is_just_missing():
    with pytest.raises(AttributeError, match=r"no attribute 'whatever'$"):
        autograd.whatever  # noqa: B018
