"""State files: what is saved comes back bit for bit; what is damaged, foreign or malicious is refused."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

import nn
import optim
from autograd import Tensor, manual_seed, no_grad
from nn import files

SUFFIXES = [".npz", ".safetensors"]


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    if request.param == ".safetensors":
        pytest.importorskip("safetensors")
    return tmp_path / f"state{request.param}"


def same(a, b):
    """Whether two states are equal: kinds, order of keys, dtypes and bits."""
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (np.ndarray, np.generic, Tensor)):
        a = np.asarray(a.data if isinstance(a, Tensor) else a)
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and (a == b or a != a)


ARRAYS = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.random.default_rng(0).normal(size=(3, 4))),
    "reversed": np.arange(5.0)[::-1],
    "sliced": np.arange(20, dtype=np.float32).reshape(4, 5)[:, ::2],
    "transposed.weight": np.arange(24, dtype=np.float16).reshape(2, 3, 4).transpose(2, 0, 1),
    "scalar": np.array(3, np.int64),
    "empty": np.zeros((0, 3), np.float32),
    "bools": np.array([True, False]),
    "bytes": np.arange(3, dtype=np.uint8),
    "nan": np.array([np.nan, np.inf, -0.0]),
    "complex": np.array([1 + 2j], np.complex64),
    "file": np.ones(1),
    "../../evil": np.ones(2),
    "name.npy": np.ones(3),
}


def test_arrays_come_back_bit_for_bit(path):
    nn.save(ARRAYS, path)
    found = nn.load(path)
    assert set(found) == set(ARRAYS)
    for key, array in ARRAYS.items():
        assert same(array, found[key]), key
        assert found[key].flags.c_contiguous
        assert found[key].flags.writeable


def test_big_endian_arrays_become_native(path):
    nn.save({"a": np.arange(3, dtype=">f4")}, path)
    assert nn.load(path)["a"].tolist() == [0.0, 1.0, 2.0]
    assert nn.load(path)["a"].dtype == np.float32


def test_a_model_is_its_state_dict_and_loads_by_the_same_keys(path):
    model, other = (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)) for _ in range(2))
    nn.save(model, path)
    other.load_state_dict(nn.load(path))
    assert same(model.state_dict(), other.state_dict())


def test_nested_states_come_back_with_kinds_and_order(path):
    state = {
        "optimizer": {
            "state": {0: {"step": 3, "m": np.ones(2)}, 1: {}},
            "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999)}],
        },
        "z": [None, True, -1.5e-300, float("inf"), float("nan"), "ein Wort: ü", 2**127, ()],
        "a/b": np.zeros(1),
        "a": {"b": np.ones(1), "": np.ones(2)},
        "tensor": Tensor([1.0, 2.0]),
        "number": np.float32(0.1),
        "empty": {},
    }
    nn.save(state, path)
    assert same({**state}, nn.load(path))


def test_anything_at_the_top(path):
    for state in ([], {}, 3, "text", [np.ones(2)], np.ones(3), {"__state__": np.ones(1)}, {1: np.ones(1)}):
        nn.save(state, path)
        assert same(state, nn.load(path))


def test_generators_come_back_so_that_the_same_numbers_follow(path):
    generator = np.random.default_rng(7)
    generator.random(3)
    nn.save({"generator": generator}, path)
    expected = generator.random(5)
    other = np.random.default_rng()
    other.bit_generator.state = nn.load(path)["generator"]
    assert (other.random(5) == expected).all()


class Momentum:
    """An optimiser as far as files know one: its state is nested, with numbers and arrays by index."""

    def __init__(self, parameters):
        self.parameters, self.velocity, self.steps = list(parameters), {}, 0

    def step(self):
        self.steps += 1
        with no_grad():
            for i, p in enumerate(self.parameters):
                self.velocity[i] = self.velocity.get(i, 0 * p.data) * 0.9 + p.grad.data
                p -= 0.1 * self.velocity[i]
                p.grad = None

    def state_dict(self):
        return {"state": {i: {"velocity": v} for i, v in self.velocity.items()}, "steps": self.steps}

    def load_state_dict(self, state):
        self.velocity, self.steps = {i: s["velocity"] for i, s in state["state"].items()}, state["steps"]


def train(model, optimizer, generator, steps):
    for _ in range(steps):
        x = generator.normal(size=(8, 3))
        nn.CrossEntropyLoss()(model(x), (x.sum(axis=1) > 0).astype(int)).backward()
        optimizer.step()


def test_training_resumes_bit_for_bit(path):
    manual_seed(0)

    def parts():
        model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
        return model, Momentum(model.parameters()), np.random.default_rng(1)

    model, optimizer, generator = parts()
    train(model, optimizer, generator, 5)
    nn.save({"model": model, "optimizer": optimizer, "data": generator}, path)
    train(model, optimizer, generator, 5)
    again, resumed, data = parts()
    checkpoint = nn.load(path)
    again.load_state_dict(checkpoint["model"])
    resumed.load_state_dict(checkpoint["optimizer"])
    data.bit_generator.state = checkpoint["data"]
    train(again, resumed, data, 5)
    assert same(model.state_dict(), again.state_dict())
    assert resumed.steps == 10


# Other programs' files


def test_numpy_reads_ours_and_we_read_numpys(tmp_path):
    nn.save({"a": np.ones(2), "b.c": np.zeros((2, 2), np.float32)}, tmp_path / "ours.npz")
    with np.load(tmp_path / "ours.npz", allow_pickle=False) as found:
        assert sorted(found) == ["a", "b.c"]
        assert found["b.c"].shape == (2, 2)
    np.savez_compressed(tmp_path / "theirs.npz", a=np.asfortranarray(np.arange(6.0).reshape(2, 3)), b=np.zeros(1000))
    assert nn.load(tmp_path / "theirs.npz")["a"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


def test_the_official_package_reads_ours_and_we_read_its(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    nn.save(nn.Linear(3, 2), tmp_path / "ours.safetensors")
    assert sorted(package.load_file(tmp_path / "ours.safetensors")) == ["bias", "weight"]
    package.save_file({"a": np.arange(3.0)}, tmp_path / "theirs.safetensors", {"format": "pt"})
    assert nn.load(tmp_path / "theirs.safetensors")["a"].tolist() == [0.0, 1.0, 2.0]


# A crash while writing


def test_a_failed_save_leaves_the_old_file_whole_and_nothing_else(path, monkeypatch):
    nn.save({"a": np.ones(3)}, path)
    before = path.read_bytes()
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(files.os, name, refuse)
            with pytest.raises(OSError, match="disk full"):
                nn.save({"a": np.zeros(300)}, path)
    with pytest.raises(ValueError, match="layers/0/act: function cannot be saved"):
        nn.save({"layers": [{"act": refuse}]}, path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def refuse(*_):
    raise OSError("disk full")


def test_a_link_keeps_pointing_to_the_file_that_is_replaced(path):
    target = path.with_name("target" + path.suffix)
    nn.save({"a": np.ones(1)}, target)
    path.symlink_to(target)
    nn.save({"a": np.zeros(1)}, path)
    assert path.is_symlink()
    assert nn.load(target)["a"].tolist() == [0.0]


# What is refused


def test_every_truncation_is_refused_and_leaves_the_model_as_it_was(path):
    model = nn.Linear(3, 2)
    nn.save({"model": model, "epoch": 1}, path)
    whole, before = path.read_bytes(), model.state_dict()
    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"state\.(npz|safetensors): "):
            model.load_state_dict(nn.load(path)["model"])
    assert same(model.state_dict(), before)


def test_no_damaged_byte_is_loaded_as_something_that_is_not_numbers(path):
    nn.save({"model": {"weight": np.ones((2, 3))}, "epoch": 1}, path)
    whole = path.read_bytes()
    for position in range(0, len(whole), 5):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x41]) + whole[position + 1 :])
        with contextlib.suppress(ValueError):
            assert set(nn.load(path)) <= {"model", "epoch"} or path.suffix == ".safetensors"  # which has no checksum


@pytest.mark.parametrize(
    "content",
    [b"", b"no such thing", pickle.dumps({"a": 1}), b"\x93NUMPY\x01\x00", b"\xff" * 64, b"PK\x03\x04" + b"\0" * 40],
)
def test_foreign_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"state\.(npz|safetensors): "):
        nn.load(path)


class Exploit:
    def __reduce__(self):
        return os.mkdir, ("exploited",)


def test_pickles_are_refused_and_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("evil.npz", weight=np.array([Exploit()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"evil\.npz: 'weight' holds pickled Python objects"):
        nn.load("evil.npz")
    (tmp_path / "model.npz").write_bytes(pickle.dumps(Exploit()))
    with pytest.raises(ValueError, match=r"no \.npz file"):
        nn.load("model.npz")
    assert not (tmp_path / "exploited").exists()


def archive(path, **entries):
    with zipfile.ZipFile(path, "w") as made:
        for name, content in entries.items():
            made.writestr(f"{name}.npy", content)


def array_with(header, content=b""):
    text = header.encode() + b" " * (117 - len(header)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            array_with("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}", b"12345678"),
            "is truncated",
        ),
        (array_with("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"), "is truncated"),
        (array_with("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"12345678"), "pickled Python objects"),
        (array_with("{'descr': '<U4', 'fortran_order': False, 'shape': ()}", b"1" * 16), "state files hold numbers"),
        (array_with("__import__('os').mkdir('exploited')"), "damaged header"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"{", "a header of"),
        (b"\x93NUMPY\x09\x00" + b"\0" * 20, "no array of NumPy's"),
        (b"text", "no array of NumPy's"),
    ],
)
def test_arrays_that_lie_are_refused_before_memory_is_taken(tmp_path, content, message):
    archive(tmp_path / "evil.npz", weight=content)
    with pytest.raises(ValueError, match=message):
        nn.load(tmp_path / "evil.npz")


def test_a_zip_bomb_is_refused_before_memory_is_taken(tmp_path):
    """A well-formed header of 40 GB, an entry that says it holds as much, and a kilobyte of compressed zeros."""
    header = array_with("{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000,)}")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("weight.npy", header + bytes(1000))
        made.filelist[0].file_size = len(header) + 4 * 10**10
    with pytest.raises(ValueError, match=r"it would take 40,000,000,128 bytes"):
        nn.load(tmp_path / "bomb.npz")
    # What is large, or compresses well, but not both, is no bomb.
    np.savez_compressed(tmp_path / "zeros.npz", weight=np.zeros(100_000))
    assert not nn.load(tmp_path / "zeros.npz")["weight"].any()


def header_of(**tensors):
    return json.dumps({name: {"dtype": t[0], "shape": t[1], "data_offsets": t[2:]} for name, t in tensors.items()})


@pytest.mark.parametrize(
    ("header", "size"),
    [
        (header_of(a=("F32", [2], 0, 8), b=("F32", [2], 4, 12)), 12),  # they overlap
        (header_of(a=("F32", [2], 0, 8), b=("F32", [2], 0, 8)), 8),
        (header_of(a=("F32", [2], 0, 8), b=("F32", [2], 12, 20)), 20),  # a gap
        (header_of(a=("F32", [2], 8, 16)), 16),
        (header_of(a=("F32", [2], 0, 8)), 16),  # more than it says
        (header_of(a=("F32", [20], 0, 80)), 8),  # less
        (header_of(a=("F32", [2], -8, 0)), 8),
        (header_of(a=("F32", [2], 0, 2**64)), 8),
        (header_of(a=("F32", [3], 0, 8)), 8),
        (header_of(a=("F32", [-2], 0, 8)), 8),
        (header_of(a=("F32", [2**62], 0, 8)), 8),
        (header_of(a=("F32", [2**32, 2**33], 0, 8)), 8),  # as many bytes as 64 bits can count, and none
        (header_of(a=("F32", [math.nan], 0, 8)), 8),
        (header_of(a=("BF16", [2], 0, 4)), 4),  # which NumPy lacks
        (header_of(a=("F8_E4M3", [4], 0, 4)), 4),
        (header_of(a=("PICKLE", [2], 0, 8)), 8),
        ('{NaN: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}', 8),
        ('{"a": NaN}', 0),
        ('{"__metadata__": {"__state__": 1}}', 0),
        ('{"__metadata__": {"__state__": "{"}}', 0),
        ("[]", 0),
        ('{"a":', 0),
        ("", 0),
    ],
)
def test_headers_of_safetensors_that_lie_are_refused(tmp_path, header, size):
    pytest.importorskip("safetensors")
    path = tmp_path / "evil.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes(size))
    with pytest.raises(ValueError, match=r"evil\.safetensors: "):
        nn.load(path)


@pytest.mark.parametrize("length", [1, 2**31, 2**63, 2**64 - 1])
def test_lengths_of_headers_that_lie_are_refused(tmp_path, length):
    pytest.importorskip("safetensors")
    path = tmp_path / "evil.safetensors"
    path.write_bytes(struct.pack("<Q", length) + header_of(a=("F32", [2], 0, 8)).encode() + bytes(8))
    with pytest.raises(ValueError, match=r"evil\.safetensors: "):
        nn.load(path)


class Run:
    """A model, an optimiser and a schedule in the midst of training."""

    def __init__(self):
        self.model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        self.schedule = optim.lr_scheduler.ExponentialLR(self.optimizer, 0.9)
        generator = np.random.default_rng(5)
        for _ in range(2):
            train(self.model, self.optimizer, generator, 2)
            self.schedule.step()

    def state_dict(self):
        return {name: part.state_dict() for name, part in vars(self).items()}

    def load(self, path):
        checkpoint = nn.load(path)
        for name, part in vars(self).items():
            part.load_state_dict(checkpoint[name])


def test_damage_at_any_place_leaves_model_optimizer_and_schedule_as_they_were(path):
    run = Run()
    nn.save(run.state_dict(), path)
    before, whole = run.state_dict(), path.read_bytes()
    random = np.random.default_rng(0)
    lengths = {0, 1, 7, 8, 9, 21, 22, len(whole) // 2, len(whole) - 1, *random.integers(0, len(whole), 100).tolist()}
    foreign = [random.bytes(n) for n in (1, 100, 5000)] + [b"weight,bias\n1.0,2.0\n", pickle.dumps({"model": {}})]
    for content in [*(whole[:n] for n in lengths), *foreign, whole[: len(whole) // 2] + random.bytes(len(whole) // 2)]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"state\.(npz|safetensors): "):
            run.load(path)
        assert same(run.state_dict(), before)
    path.write_bytes(whole)
    run.load(path)
    assert same(run.state_dict(), before)


def test_states_that_are_not_a_models_leave_it_as_it_was(path):
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    good = model.state_dict()
    for message, change in {
        "a dict of arrays by path, not list": lambda state: list(state.values()),
        "a dict of arrays by path, not NoneType": lambda state: None,
        "missing: 1.running_var": lambda state: {k: v for k, v in state.items() if k != "1.running_var"},
        "unexpected: nan": lambda state: {**state, math.nan: np.ones(1)},
        "unexpected: 7": lambda state: {**state, 7: np.ones(1)},
        "unexpected: model": lambda state: {"model": state},
        r"0.weight is \(2, 3\), the state has \(3, 2\)": lambda state: {**state, "0.weight": state["0.weight"].T},
        "0.bias is float32, the state has complex64": lambda state: {**state, "0.bias": np.ones(2, np.complex64)},
        "0.bias is float32, the state has <U1": lambda state: {**state, "0.bias": np.array(["a", "b"])},
        "0.bias is float32, the state has object": lambda state: {**state, "0.bias": np.array([None, 1.0])},
        "0.bias is float32, the state has datetime64": lambda state: {**state, "0.bias": np.zeros(2, "M8[s]")},
        "num_batches_tracked is int64, the state has float64": lambda state: {**state, "1.num_batches_tracked": 1.5},
    }.items():
        bad = change({key: array + 1 for key, array in good.items()})
        with pytest.raises(ValueError, match=message):
            model.load_state_dict(bad)
        assert same(model.state_dict(), good), message
    nn.save(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), path)
    with pytest.raises(ValueError, match="does not fit Sequential"):
        model.load_state_dict(nn.load(path))
    assert same(model.state_dict(), good)


def test_numbers_too_large_for_the_dtype_do_not_stop_loading_half_way():
    model = nn.Linear(1, 1)
    model.load_state_dict({"weight": np.array([[1e300]]), "bias": np.array([2.0])})
    assert model.weight.item() == np.inf
    assert model.bias.item() == 2.0


def test_an_archive_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.npz", "w") as made:  # what torch.save writes
        made.writestr("archive/data.pkl", pickle.dumps({}))
    with pytest.raises(ValueError, match=r"'archive/data.pkl' in it is no array"):
        nn.load(tmp_path / "model.npz")


def description(state, form=1):
    text = json.dumps({"format": form, "state": state})
    buffer = io.BytesIO()
    np.save(buffer, np.frombuffer(text.encode(), np.uint8))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"array": "b"}, "'b' that its description names is missing"),
        ({"list": [{"array": "a"}, {"array": "a"}]}, "'a' that its description names is missing"),
        ({"list": []}, "arrays that its description does not name: a"),
        ({"object": []}, "damaged: 'object'"),
        ([1], "a list without a kind"),
        ({"dict": [[["a"], {"array": "a"}]]}, "a dict without keys"),
        ({"array": "a", "list": []}, "damaged"),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(tmp_path, state, message):
    buffer = io.BytesIO()
    np.save(buffer, np.ones(2))
    archive(tmp_path / "evil.npz", a=buffer.getvalue(), __state__=description(state))
    with pytest.raises(ValueError, match=message):
        nn.load(tmp_path / "evil.npz")


def test_descriptions_without_end_or_of_later_versions_are_refused(tmp_path):
    deep: dict = {"list": []}
    for _ in range(300):
        deep = {"list": [deep]}
    archive(tmp_path / "deep.npz", __state__=description(deep))
    archive(tmp_path / "later.npz", __state__=description({"list": []}, 99))
    text = io.BytesIO()
    np.save(text, np.frombuffer(b"[" * 200_000, np.uint8))
    archive(tmp_path / "open.npz", __state__=text.getvalue())
    for name in ("deep", "later", "open"):
        with pytest.raises(ValueError, match=f"{name}.npz: "):
            nn.load(tmp_path / f"{name}.npz")


def test_what_cannot_be_saved_is_named(path):
    for state, message in (
        ({"a": object()}, "a: object cannot be saved"),
        ({"a": {1.5: 0}}, "a: a key is a string or an integer, not 1.5"),
        ({"a": np.array(["text"])}, "a: an array of <U4 cannot be saved"),
        ({"a": {"b": np.array([object()])}}, "a/b: an array of object"),
    ):
        with pytest.raises(ValueError, match=message):
            nn.save(state, path)
    loop: list = []
    loop.append(loop)
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        nn.save(loop, path)
    assert not path.exists()


def test_where_there_is_nothing_to_write_to(tmp_path):
    with pytest.raises(TypeError, match=r"save\(state, path\): the path comes second, and there is Linear"):
        nn.save(tmp_path / "model.npz", nn.Linear(2, 2))
    with pytest.raises(FileNotFoundError, match=r"no folder .*elsewhere to write model.npz to"):
        nn.save(nn.Linear(2, 2), tmp_path / "elsewhere" / "model.npz")


def test_names_without_a_known_suffix_are_refused(tmp_path):
    for name in ("model", "model.pt", "model.pkl"):
        with pytest.raises(ValueError, match=r"state files end in \.npz or \.safetensors"):
            nn.save({}, tmp_path / name)
        with pytest.raises(ValueError, match=r"state files end in"):
            nn.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        nn.load(tmp_path / "absent.npz")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_name_with_a_zero_byte_is_refused(tmp_path, suffix):
    with pytest.raises(ValueError, match="zero byte"):
        nn.save({"a\0b": np.ones(1)}, tmp_path / f"state{suffix}")
