"""State in files, `.npz` or `.safetensors`: weights by PyTorch's names, or all that training needs to be resumed.

>>> import nn, tempfile, os
>>> model = nn.Linear(3, 2)
>>> folder = tempfile.TemporaryDirectory()
>>> path = os.path.join(folder.name, "model.npz")
>>> nn.save(model, path)
>>> nn.Linear(3, 2).load_state_dict(nn.load(path))
IncompatibleKeys(missing_keys=[], unexpected_keys=[])

A checkpoint is any nesting of dicts, lists and tuples of such things:

>>> nn.save({"model": model, "epoch": 3, "rates": [0.1, 0.01]}, path)
>>> checkpoint = nn.load(path)
>>> checkpoint["epoch"], sorted(checkpoint["model"])
(3, ['bias', 'weight'])
>>> folder.cleanup()

Training goes on after a break with the same numbers as without it if the checkpoint also holds the optimiser, the
schedule and the state of the random numbers: `"random": autograd.get_rng_state()`, and `set_rng_state` afterwards.

Nothing is ever unpickled, so that loading a file runs no code of it.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from autograd import Tensor

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load", "save"]

ENTRY: Final = "__state__"  # where the nesting is described: an entry of the .npz, a key of the .safetensors metadata
FORMAT: Final = 1
DEEPEST: Final = 100
BOMB: Final = 2**28  # an archive that promises more bytes than this, and INFLATED times its own size, is not read
INFLATED: Final = 100
Arrays = dict[str, NDArray[Any]]


# What users call


def save(state: Any, path: str | os.PathLike[str]) -> None:
    """Write a state to a `.npz` or `.safetensors` file.

    Parameters
    ----------
    state : what has a `state_dict()` (a model, an optimiser, a schedule), a NumPy generator (its state is saved), or a
        dict, list or tuple of such things, of arrays and tensors, and of numbers, strings, booleans and None, nested
        as deep as you like. Keys are strings or integers. A dict of arrays alone makes a file of these names and
        nothing else, which PyTorch's tools read.
    path : the suffix says which format; `.safetensors` needs the package of that name.

    The file is written beside `path` under another name and then renamed: a crash leaves the old file whole.

    Raises
    ------
    ValueError : another suffix; something that cannot be saved, by its place in the state.
    """
    from pathlib import Path  # imported late, here and below: 4 ms of an import of nn

    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"save(state, path): the path comes second, and there is {type(path).__name__}")
    target = Path(os.path.realpath(path))
    suffix = suffix_of(target)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {target.parent} to write {target.name} to")
    arrays, tree = flattened(state)
    with written(target) as file:
        (write_npz if suffix == ".npz" else write_safetensors)(file, arrays, tree)


def load(path: str | os.PathLike[str]) -> Any:
    """Return what `save` wrote, arrays as NumPy arrays; of a file that others wrote, a dict of its arrays.

    Raises
    ------
    ValueError : the file is truncated, damaged or not of this kind, or holds what is no numbers (Python objects, say).
    """
    from pathlib import Path

    source = Path(path)
    suffix = suffix_of(source)
    source.stat()  # raises FileNotFoundError, which says enough
    try:
        arrays, text = (read_npz if suffix == ".npz" else read_safetensors)(source)
        return arrays if text is None else restored(arrays, text)
    except (Refused, OSError, EOFError, MemoryError, RecursionError) as error:
        raise ValueError(f"{source}: {error or type(error).__name__}") from error


class Refused(Exception):
    """A file is not what it should be; the message says why."""


def suffix_of(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".safetensors"):
        raise ValueError(f"{path}: state files end in .npz or .safetensors")
    return suffix


class written:
    """A file that replaces `target` when the block ends well, and vanishes when it does not."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.beside = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")

    def __enter__(self) -> BinaryIO:
        self.file = open(self.beside, "xb")
        return self.file

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            with self.file:
                if kind is None:
                    self.file.flush()
                    os.fsync(self.file.fileno())
            if kind is None:
                os.replace(self.beside, self.target)
        finally:
            self.beside.unlink(missing_ok=True)
        if kind is None and hasattr(os, "O_DIRECTORY"):  # the new name too is to survive a loss of power
            folder = os.open(self.target.parent, os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


# Nested states, and the flat arrays and the description that stand for them


def flattened(state: Any) -> tuple[Arrays, str | None]:
    """Return the arrays of a state by name, and the text that tells how they are nested: None for a flat dict."""
    state = stated(state)
    if isinstance(state, Mapping) and ENTRY not in state:
        plain = {key: as_array(value) for key, value in state.items()}
        if all(isinstance(key, str) and array is not None for key, array in plain.items()):
            return {key: storable(array, key) for key, array in plain.items() if array is not None}, None
    arrays: Arrays = {}
    tree = described(state, (), arrays)
    return arrays, json.dumps({"format": FORMAT, "state": tree}, ensure_ascii=False)


def stated(value: Any) -> Any:
    """Return the state of what has one."""
    if hasattr(value, "state_dict") and not isinstance(value, type):
        return value.state_dict()
    return value.bit_generator.state if isinstance(value, np.random.Generator) else value


def as_array(value: Any) -> NDArray[Any] | None:
    """Return the array of what is one, or a tensor; else None."""
    if isinstance(value, Tensor):
        return np.asarray(value.data)
    return np.asarray(value) if isinstance(value, (np.ndarray, np.generic)) else None


def storable(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Return an array as files have it: C-contiguous, in the machine's order of bytes."""
    if "\0" in name:
        raise ValueError(f"{name!r}: a name in a file has no zero byte")
    if array.dtype.kind not in "fciub" or array.dtype.itemsize > 16:
        raise ValueError(f"{name}: an array of {array.dtype} cannot be saved")
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def described(value: Any, place: tuple[str, ...], arrays: Arrays) -> Any:
    """Return a value in terms of JSON; its arrays go to `arrays`, under the names of their places."""
    value = stated(value)
    name = "/".join(place)
    if len(place) > DEEPEST:
        raise ValueError(f"{name[:60]}...: nested more than {DEEPEST} deep")
    array = as_array(value)
    if array is not None:
        while name in arrays or name in ("", ENTRY):  # {"a/b": ...} beside {"a": {"b": ...}}
            name += "_"
        arrays[name] = storable(array, name)
        return {"array": name}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        for key in value:
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                raise ValueError(f"{name or 'the state'}: a key is a string or an integer, not {key!r}")
        return {"dict": [[key, described(part, (*place, str(key)), arrays)] for key, part in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [described(part, (*place, str(i)), arrays) for i, part in enumerate(value)]}
    raise ValueError(f"{name or 'the state'}: {type(value).__name__} cannot be saved")


def restored(arrays: Arrays, text: str) -> Any:
    """Undo `flattened`."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Refused(f"its description of the state is damaged: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT or "state" not in found:
        raise Refused("its description of the state is none of ours, or of a later version")
    left = set(arrays)
    state = nested(found["state"], arrays, left)
    if left:
        raise Refused(f"it holds arrays that its description does not name: {', '.join(sorted(left)[:5])}")
    return state


def nested(tree: Any, arrays: Arrays, left: set[str], depth: int = 0) -> Any:
    """Undo `described`. Names are taken off `left` as they are met: none may occur twice."""
    if not isinstance(tree, dict):
        if isinstance(tree, list):
            raise Refused("its description of the state is damaged: a list without a kind")
        return tree
    if len(tree) != 1 or depth > DEEPEST + 1:
        raise Refused("its description of the state is damaged")
    (kind, parts), *_ = tree.items()
    if kind == "array":
        if not isinstance(parts, str) or parts not in left:
            raise Refused(f"the array {parts!r:.60} that its description names is missing")
        left.remove(parts)
        return arrays[parts]
    if kind not in ("dict", "list", "tuple") or not isinstance(parts, list):
        raise Refused(f"its description of the state is damaged: {kind!r:.60}")
    if kind == "dict":
        if any(not isinstance(p, list) or len(p) != 2 or not isinstance(p[0], (str, int)) for p in parts):
            raise Refused("its description of the state is damaged: a dict without keys")
        return {key: nested(part, arrays, left, depth + 1) for key, part in parts}
    found = [nested(part, arrays, left, depth + 1) for part in parts]
    return found if kind == "list" else tuple(found)


# .npz: what `np.savez` writes and `np.load` reads, without pickles


def write_npz(file: BinaryIO, arrays: Arrays, text: str | None) -> None:
    import zipfile  # here and below: 4 ms that an import of nn need not take

    if ENTRY in arrays:
        raise ValueError(f"{ENTRY!r} is not available as a name")
    description = {} if text is None else {ENTRY: np.frombuffer(text.encode(), np.uint8)}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in {**description, **arrays}.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def read_npz(path: Path) -> tuple[Arrays, str | None]:
    import zipfile

    arrays: Arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) != promised(path, len(entries)):
                raise Refused("it is damaged: its list of contents is not whole")
            total = sum(entry.file_size for entry in entries)
            if total > max(BOMB, INFLATED * path.stat().st_size):
                raise Refused(f"it would take {total:,} bytes of memory, out of all proportion to its size")
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                if name == entry.filename:
                    raise Refused(f"{entry.filename!r:.60} in it is no array: this is no .npz file of NumPy's")
                if name in arrays:
                    raise Refused(f"{name!r:.60} is in it twice")
                with archive.open(entry) as file:
                    arrays[name] = read_array(file, name, entry.file_size)
    except (zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise Refused(f"it is no .npz file, or truncated or damaged: {error}") from error
    except (NotImplementedError, RuntimeError) as error:  # a compression that Python does not know; a password
        raise Refused(f"it is no .npz file of NumPy's: {error}") from error
    except Exception as error:
        if isinstance(error, (Refused, OSError, EOFError, MemoryError)):
            raise
        raise Refused(f"it is damaged: {error}") from error  # zlib.error, for one
    text = arrays.pop(ENTRY, None)
    try:
        return arrays, None if text is None else text.tobytes().decode()
    except UnicodeDecodeError as error:
        raise Refused(f"its description of the state is damaged: {error}") from error


def promised(path: Path, found: int) -> int:
    """Return how many entries an archive says that it has, in the last 22 bytes, which Python does not look at."""
    with open(path, "rb") as file:
        file.seek(-22, os.SEEK_END)
        end = file.read()
    count = int.from_bytes(end[10:12], "little")
    return found if end[:4] != b"PK\5\6" or count == 0xFFFF else count  # a comment follows; more than fit the field


def read_array(file: Any, name: str, size: int) -> NDArray[Any]:
    """Read one array of an archive, whose header is checked before any memory is taken for what it promises."""
    head = file.read(12)
    if len(head) < 12 or head[:6] != b"\x93NUMPY" or head[6] not in (1, 2, 3):
        raise Refused(f"{name!r:.60} in it is no array of NumPy's")
    long = head[6] > 1
    length = int.from_bytes(head[8 : 12 if long else 10], "little")
    if length > 10_000:
        raise Refused(f"{name!r:.60} has a header of {length} bytes, which is no array of numbers")
    start = io.BytesIO(head + file.read(length if long else length - 2))
    version = np.lib.format.read_magic(start)
    reader: Any = np.lib.format.read_array_header_2_0 if long else np.lib.format.read_array_header_1_0
    if version[0] == 3:  # of names of fields in Unicode, which arrays of numbers do not have
        raise Refused(f"{name!r:.60} has a structured dtype; state files hold numbers")
    try:
        shape, fortran, dtype = reader(start)
    except ValueError as error:
        raise Refused(f"{name!r:.60} has a damaged header: {error}") from error
    if dtype.hasobject:
        raise Refused(f"{name!r:.60} holds pickled Python objects, which could run any code; nothing was read")
    if dtype.kind not in "fciub":
        raise Refused(f"{name!r:.60} holds {dtype}; state files hold numbers")
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != size - len(start.getvalue()):
        raise Refused(f"{name!r:.60} is truncated: {shape} {dtype} does not fit its {size} bytes")
    content = file.read()
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise Refused(f"{name!r:.60} is truncated")
    array: NDArray[Any] = np.frombuffer(bytearray(content), dtype)
    array = array.reshape(shape, order="F" if fortran else "C")
    return np.asarray(array, dtype=dtype.newbyteorder("="), order="C")


# .safetensors, through the official package


def package() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(".safetensors files need the package: pip install safetensors") from error
    return safetensors


def write_safetensors(file: BinaryIO, arrays: Arrays, text: str | None) -> None:
    metadata = None if text is None else {ENTRY: text}
    for name, array in arrays.items():
        if array.dtype in (np.complex128, np.longdouble):
            raise ValueError(f"{name}: .safetensors has no {array.dtype}; use .npz")
    # Others than C-contiguous arrays are written wrongly by some versions, without a word.
    file.write(package().numpy.save({k: np.ascontiguousarray(a).reshape(a.shape) for k, a in arrays.items()}, metadata))


def read_safetensors(path: Path) -> tuple[Arrays, str | None]:
    safetensors = package()
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 -- no mapping
    except OSError:
        raise
    except Exception as error:  # SafetensorError, and TypeError for a dtype that NumPy does not have
        raise Refused(f"it is no .safetensors file, or truncated, or of a dtype that NumPy lacks: {error}") from error
    return arrays, metadata.get(ENTRY)
