"""Gradient checks: every rule against central differences, (E(w + ε) - E(w - ε)) / 2ε, first and second order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from autograd import modes
from autograd.functional import gradients
from autograd.tensor import Tensor, wrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Real = NDArray[np.float64]

Directions = int | Literal["all", "random"] | None
WHOLE: Final = 200  # real numbers in and out up to which `directions=None` compares the whole Jacobian
RANDOM: Final = 3  # directions otherwise
SINGLE_STEP: Final = 1e-4  # the smallest that numbers of single precision allow


class GradcheckError(AssertionError):
    """A gradient and its finite difference disagree, or something else is wrong with a function or its rules."""


def gradcheck(
    function: Callable[..., Any],
    *inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    directions: Directions = None,
    raise_exception: bool = True,
) -> bool:
    """Compare the gradients of `function(*inputs)` with central differences.

    Parameters
    ----------
    function : returns a tensor, or a tuple of them; results that are not floating or complex are passed over.
    inputs : it is differentiated in tensors that require a gradient and in arrays and numbers of float64 or complex128;
        everything else is passed on as it is. Tensors are passed themselves, so that the function may also reach them
        by another way, as a model does its parameters. Their `.grad` is left alone.
    eps : the step.
    atol, rtol : a gradient g and a difference d agree where |g - d| <= atol + rtol * |d|.
    directions : "all" compares each element of the Jacobian; "random", or a number of directions, compares projections
        of it, and looks for an element only where they disagree; None chooses by size.
    raise_exception : raise where they disagree, rather than return False.

    Raises
    ------
    GradcheckError : they disagree, and the message names the output, the input, the index and both numbers; or the
        function gives two answers in two runs, or changes its inputs, or its backward pass fails.
    ValueError : there is nothing to differentiate; or it is in single precision, in which a step of `eps` is lost.

    Examples
    --------
    >>> import numpy as np
    >>> gradcheck(lambda x: np.exp(x) * x, np.array([1.0, 2.0]))
    True
    >>> from autograd import operation
    >>> twice = operation(lambda x: 2 * x, name="twice", x=lambda g: 3 * g)
    >>> gradcheck(twice, np.array([1.0, 2.0]), raise_exception=False)
    False
    """
    return verdict(lambda: Check(function, inputs, eps, atol, rtol).run(directions), raise_exception)


def gradgradcheck(
    function: Callable[..., Any],
    *inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    directions: Directions = None,
    raise_exception: bool = True,
) -> bool:
    """Compare the second derivatives of `function(*inputs)` with central differences of its gradients.

    The gradients, for random gradients of the outputs, are checked as `gradcheck` checks a function: in the inputs and
    in the gradients of the outputs. Arguments and errors are those of `gradcheck`.

    >>> import numpy as np
    >>> gradgradcheck(np.tanh, np.array([0.5, -1.0]))
    True
    """

    def check() -> None:
        first = Check(function, inputs, eps, atol, rtol)
        connected = tracked(first.outputs)
        if not connected:
            first.run(directions)
            return
        rng = np.random.default_rng(1)
        seeds = [complex_like(random_direction(real_size(out._array), rng), out._array) for out in connected]
        count = len(inputs)

        def first_order(*arguments: Any) -> tuple[Tensor, ...]:
            recording = modes.is_grad_enabled()
            with modes.enable_grad():
                outs = tracked(results(function(*arguments[:count])))
                wanted = [arguments[i] for i in first.positions]
                return tuple(gradients(outs, wanted, list(arguments[count:]), create_graph=recording))

        second = Check(first_order, (*first.arguments, *seeds), eps, atol, rtol)
        second.output_names = [f"the gradient of {name}" for name in first.input_names]
        for k in range(len(seeds)):
            second.input_names[len(first.positions) + k] = f"the gradient given for output {k}"
        second.run(directions)

    return verdict(check, raise_exception)


def verdict(check: Callable[[], None], raise_exception: bool) -> bool:
    """Return whether `check` runs without a GradcheckError, or raise that."""
    try:
        with modes.enable_grad():
            check()
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


class Check:
    """One function at one point: its results, recorded, and ways to move the point."""

    def __init__(
        self, function: Callable[..., Any], inputs: tuple[Any, ...], eps: float, atol: float, rtol: float
    ) -> None:
        self.function = function
        self.eps = eps
        self.atol = atol
        self.rtol = rtol
        self.arguments = [variable(x, position, eps) for position, x in enumerate(inputs)]
        self.positions = [i for i, x in enumerate(self.arguments) if isinstance(x, Tensor) and x.requires_grad]
        if not self.positions:
            raise ValueError(
                "nothing to check: no input is a tensor that requires a gradient, nor an array of float64 or complex128"
            )
        self.variables: list[Tensor] = [self.arguments[i] for i in self.positions]
        self.input_names = [
            f"input {i}" + (f" {x.name!r}" if x.name else "")
            for i, x in zip(self.positions, self.variables, strict=True)
        ]
        watched = [np.array(x._array) for x in self.variables]
        returned = function(*self.arguments)
        self.outputs = results(returned)
        fields = getattr(returned, "_fields", None)
        self.output_names = [f"output {k}" + (f" {fields[k]!r}" if fields else "") for k in range(len(self.outputs))]
        self.refuse_change(watched, "the function")
        self.watched = watched

    def run(self, directions: Directions) -> None:
        """Compare every output with every input."""
        checked = [k for k, out in enumerate(self.outputs) if kind(out) in "fc"]
        if not checked:
            raise ValueError("nothing to check: the function returned nothing floating or complex")
        self.refuse_chance()
        size_in = sum(real_size(x._array) for x in self.variables)
        size_out = sum(real_size(plain(self.outputs[k])) for k in checked)
        number = isinstance(directions, (int, np.integer)) and not isinstance(directions, bool) and directions >= 1
        if directions not in (None, "all", "random") and not number:
            raise ValueError(f"directions is 'all', 'random' or a positive number of them, not {directions!r}")
        if directions is None:
            directions = "all" if size_in + size_out <= WHOLE else "random"
        if directions == "random":
            directions = RANDOM
        rng = np.random.default_rng(0)

        def chosen(size: int) -> Real:
            if directions == "all":
                return np.eye(size)
            return np.array([random_direction(size, rng) for _ in range(int(directions))])

        ways = [chosen(real_size(x._array)) for x in self.variables]
        differences = [[self.difference(i, way) for way in ways[i]] for i in range(len(ways))]
        for k in checked:
            seeds = chosen(real_size(plain(self.outputs[k])))
            found = [self.gradient(k, seed) for seed in seeds]
            if not len(seeds):
                self.gradient(k, np.zeros(0))
            for i, way in enumerate(ways):
                ours = np.array([f[i] for f in found]).reshape(len(seeds), way.shape[1]) @ way.T
                theirs = seeds @ np.array([d[k] for d in differences[i]]).reshape(len(way), seeds.shape[1]).T
                excess = self.excess(ours, theirs)
                if excess.size and excess.max() > 0:
                    row, column = np.unravel_index(excess.argmax(), excess.shape)
                    self.report(k, i, seeds[row], way[column])

    def excess(self, ours: Any, theirs: Any) -> Any:
        """Return by how much gradients and differences disagree beyond the tolerances; NaN disagrees with all."""
        return np.nan_to_num(np.abs(ours - theirs) - self.atol - self.rtol * np.abs(theirs), nan=np.inf)

    def difference(self, i: int, way: Real) -> list[Real]:
        """Return the derivative of each output when input `i` moves along `way`, by central differences."""
        x = self.variables[i]
        step = complex_like(self.eps * way, x._array)
        after = self.values_with(x, x._array + step)
        before = self.values_with(x, x._array - step)
        return [(a - b) / (2 * self.eps) for a, b in zip(after, before, strict=True)]

    def values_with(self, x: Tensor, data: Any) -> list[Real]:
        """Return the outputs, as real numbers, with other data in one input."""
        kept = x._array
        try:
            hold(x, data)
            with modes.no_grad():
                return [real_copy(plain(out)) for out in results(self.function(*self.arguments))]
        finally:
            hold(x, kept)

    def gradient(self, k: int, seed: Real) -> list[Real]:
        """Return what the rules say of each input when `seed` is the gradient of output `k`."""
        out = self.outputs[k]
        if not (isinstance(out, Tensor) and out.requires_grad):
            return [np.zeros(real_size(x._array)) for x in self.variables]
        given = wrap(complex_like(seed, out._array), None)
        kept = np.array(given._array)
        try:
            found = gradients(out, self.variables, given, retain_graph=True)
        except Exception as error:
            raise GradcheckError(
                f"the backward pass of {self.output_names[k]} raised {type(error).__name__}: {error}"
            ) from error
        if not np.array_equal(given._array, kept):
            raise GradcheckError(f"the backward pass of {self.output_names[k]} changed the gradient that it was given")
        self.refuse_change(self.watched, f"the backward pass of {self.output_names[k]}")
        for name, x, g in zip(self.input_names, self.variables, found, strict=True):
            if g.shape != x.shape or g.dtype != x.dtype:
                raise GradcheckError(f"the gradient of {name} is {g.shape} {g.dtype}, not {x.shape} {x.dtype}")
        return [real_copy(g._array) for g in found]

    def refuse_change(self, watched: list[Any], who: str) -> None:
        for name, x, before in zip(self.input_names, self.variables, watched, strict=True):
            if not np.array_equal(x._array, before, equal_nan=True):
                raise GradcheckError(f"{who} changed {name}")

    def refuse_chance(self) -> None:
        """Raise unless a second run returns what the first did (but for the order in which threads may add)."""
        x = self.variables[0]
        again = self.values_with(x, x._array)
        for name, out, second in zip(self.output_names, self.outputs, again, strict=True):
            first = real_copy(plain(out))
            if first.shape != second.shape or not np.allclose(first, second, rtol=1e-8, atol=1e-10, equal_nan=True):
                raise GradcheckError(
                    f"{name} differs between two runs with the same inputs: the function is not deterministic"
                )

    def report(self, k: int, i: int, seed: Real, way: Real) -> None:
        """Find an element at which output `k` and input `i` disagree, and raise the error that names it."""

        def error(seed: Real, way: Real) -> tuple[float, float]:
            return float(self.gradient(k, seed)[i] @ way), float(seed @ self.difference(i, way)[k])

        def off(pair: tuple[float, float]) -> float:
            return float(np.nan_to_num(abs(pair[0] - pair[1]), nan=np.inf))

        way = halved(way, lambda part: off(error(seed, part)))
        seed = halved(seed, lambda part: off(error(part, way)))
        ours, theirs = error(seed / seed.sum(), way / way.sum())
        by_input = element(way, self.variables[i]._array)
        of_output = element(seed, plain(self.outputs[k]))
        raise GradcheckError(
            f"{self.output_names[k]}{of_output} by {self.input_names[i]}{by_input}: the gradient is {ours:.9g}, "
            f"the finite difference {theirs:.9g}; they differ by {abs(ours - theirs):.3g}"
        )


def halved(direction: Real, error: Callable[[Real], float]) -> Real:
    """Return one element of `direction`: of two halves always the one with the greater error."""
    support = np.flatnonzero(direction)
    while len(support) > 1:
        parts = []
        for half in np.array_split(support, 2):
            part = np.zeros_like(direction)
            part[half] = direction[half]
            parts.append((error(part), half))
        support = max(parts, key=lambda pair: pair[0])[1]
    found = np.zeros_like(direction)
    found[support] = direction[support]
    return found


def element(direction: Real, like: Any) -> str:
    """Return the words for the one element of `direction`: its index in `like`, and the part of a complex number."""
    at = int(np.flatnonzero(direction)[0])
    part = (" (real part)", " (imaginary part)")[at // like.size] if like.dtype.kind == "c" else ""
    index = tuple(int(n) for n in np.unravel_index(at % like.size, like.shape))
    return (f" at {index}" if index else "") + part


def variable(x: Any, position: int, eps: float) -> Any:
    """Return an input as the tensor it is differentiated in, or as it is."""
    if isinstance(x, Tensor):
        made = x
    elif isinstance(x, (float, complex, np.ndarray, np.generic)) and np.asarray(x).dtype.kind in "fc":
        made = wrap(np.asarray(x) if np.ndim(x) else np.asarray(x)[()], None).requires_grad_()
    else:
        return x
    if made.requires_grad and np.finfo(made.dtype).eps > 1e-10 and eps < SINGLE_STEP:
        raise ValueError(
            f"input {position} is {made.dtype}, in which a step of {eps} is lost: use float64 (complex128), or "
            "scale eps (to 1e-2, say) and the tolerances"
        )
    return made


def results(returned: Any) -> list[Any]:
    return list(returned) if isinstance(returned, (tuple, list)) else [returned]


def tracked(outputs: list[Any]) -> list[Tensor]:
    return [out for out in outputs if isinstance(out, Tensor) and out.requires_grad]


def plain(out: Any) -> Any:
    return out._array if isinstance(out, Tensor) else np.asarray(out)


def kind(out: Any) -> str:
    return str(plain(out).dtype.kind)


def hold(x: Tensor, data: Any) -> None:
    """Give a tensor other data, without a sign of it: shape and dtype stay."""
    x._array = data
    if x._leaf is not None:
        x._leaf.hold(data)


def real_size(x: Any) -> int:
    return int(x.size) * (2 if x.dtype.kind == "c" else 1)


def real_copy(x: Any) -> Real:
    """Return numbers as a new vector of real ones: of complex numbers first the real parts, then the imaginary ones."""
    flat = np.array(x).ravel()
    parts = (flat.real, flat.imag) if flat.dtype.kind == "c" else (flat,)
    return np.concatenate(parts, dtype=float)


def complex_like(vector: Real, like: Any) -> Any:
    """Return a vector of `real_copy` in shape and dtype of `like`."""
    if like.dtype.kind == "c":
        return (vector[: like.size] + 1j * vector[like.size :]).reshape(like.shape).astype(like.dtype)[()]
    return vector.reshape(like.shape).astype(like.dtype)[()]


def random_direction(size: int, rng: np.random.Generator) -> Real:
    """Return numbers between 0.5 and 1.5 with random signs: no element weighs little."""
    return rng.uniform(0.5, 1.5, size) * rng.choice([-1.0, 1.0], size)
