"""What a machine and its libraries allow: the parts of a step that no engine on NumPy can do without, by themselves.

For nets of matrix products, those of one step are run by NumPy and by PyTorch, with nothing between. What NumPy takes
for them, relative to PyTorch's whole step, is the least that an engine on NumPy could reach if all else cost nothing.
For nets of convolutions the same is done with those, which NumPy has not: with ours. What exponentials take is added to
that of the products where there are many: `activations`.

Loops in cache and over memory, on one thread and on two, say what the rest costs.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from benchmarks import elementwise, training, two_layer_net
from benchmarks.race import OURS, BesideTorch, Race, Runner, Work, difference, readable, spread, take_turns

LARGE = 16_000_000  # numbers, 64 MB, to copy
LOOP_LENGTHS = {"short-loops": 16_384, "long-loops": 262_144}  # numbers, in the caches of one core
LOOPS = 256  # in a turn
SHIFT = 16  # bytes behind a line of the cache, where NumPy's large arrays begin
COLOURS = 3  # channels of what needs no gradient, the images themselves


class Product(NamedTuple):
    """A matrix product (stack, rows, inner) @ (stack, inner, columns), done so many times.

    Of the operands that are `turned`, "x" or "y", the transpose lies in memory.
    """

    rows: int
    inner: int
    columns: int
    turned: str = ""
    times: int = 1
    stack: int = 1

    def operand(self, name: str, *shape: int) -> Any:
        turned = name in self.turned
        array = training.numbers_of(self.stack, *(shape[::-1] if turned else shape))
        return (array.swapaxes(1, 2) if turned else array).squeeze(0 if self.stack == 1 else ())

    def arrays(self) -> tuple[Any, Any, Any]:
        """Return both operands, and room for the result."""
        x, y = self.operand("x", self.rows, self.inner), self.operand("y", self.inner, self.columns)
        return x, y, np.empty((*x.shape[:-1], self.columns), np.float32)


def layer(rows: int, inputs: int, outputs: int, to_x: bool = True) -> list[Product]:
    """Return the products of a linear layer, forward and backward."""
    back = [Product(rows, outputs, inputs)] if to_x else []
    return [Product(rows, inputs, outputs, "y"), *back, Product(outputs, rows, inputs, "x")]


def recurrent(gates: int) -> list[Product]:
    """Return those of a recurrent layer with so many gates, and of the linear layer behind it."""
    steps, n, inputs, size = *training.SEQUENCES, 128
    wide = gates * size
    return [
        *layer(steps * n, inputs, wide, to_x=False),
        Product(n, size, wide, times=steps),
        Product(n, wide, size, times=steps),
        Product(wide, steps * n, size, "x"),
        *layer(n, size, 10),
    ]


def attention() -> list[Product]:
    """Return those of an encoder layer: of its linear layers, and in each head's attention."""
    n, length, size = training.TOKENS
    rows, stack, head = n * length, n * 4, size // 4
    return [
        *layer(rows, size, 3 * size, to_x=False),
        *layer(rows, size, size),
        *layer(rows, size, 4 * size),
        *layer(rows, 4 * size, size),
        Product(length, head, length, "y", times=2, stack=stack),  # scores, and the gradient of their softmax
        Product(length, length, head, times=2, stack=stack),
        Product(length, length, head, "x", times=2, stack=stack),
    ]


def mlp(rows: int) -> list[Product]:
    """Return those of the MLP's forward pass."""
    return [Product(rows, inputs, outputs, "y") for inputs, outputs in ((784, 256), (256, 128), (128, 10))]


N, D_IN, H, D_OUT = two_layer_net.N, two_layer_net.D_IN, two_layer_net.H, two_layer_net.D_OUT
PRODUCTS: dict[str, list[Product]] = {
    "two-layer-net-float32": [
        Product(N, D_IN, H),
        Product(N, H, D_OUT),
        Product(H, N, D_OUT, "x"),
        Product(N, D_OUT, H, "y"),
        Product(D_IN, N, H, "x"),
    ],
    "mlp-inference-1": mlp(1),
    "mlp-inference-256": mlp(256),
    "mlp-adam": [*layer(64, 784, 256, to_x=False), *layer(64, 256, 128), *layer(64, 128, 10)],
    "word2vec": layer(256, 64, 10_000),
    "lstm": recurrent(4),
    "gru": recurrent(3),
    "transformer": attention(),
}


def multiplied(products: Sequence[Product], multiply: Callable[..., object], own: Callable[[Any], Any]) -> Work:
    """Return the work of products by an engine's function; `own` makes its arrays of NumPy's."""
    calls = [(product.times, tuple(map(own, product.arrays()))) for product in products]

    def run() -> None:
        for times, (x, y, out) in calls:
            for _ in range(times):
                multiply(x, y, out=out)

    def numbers() -> list[Any]:
        run()
        return [np.asarray(out) for _, (_, _, out) in calls]

    return Work(run, numbers)


def by_numpy(products: Sequence[Product]) -> Work:
    return multiplied(products, np.matmul, np.asarray)


def by_torch(products: Sequence[Product]) -> Work:
    import torch

    return multiplied(products, torch.matmul, torch.from_numpy)


class Convolution(NamedTuple):
    """A convolution of images of so many pixels a side, done so many times, forward and backward."""

    batch: int
    channels: int
    side: int
    out: int
    kernel: int = 3
    padding: int = 1
    stride: int = 1
    times: int = 1


def stage(channels: int, side: int) -> list[Convolution]:
    """Return those of a later stage of the residual net: its first halves the images, beside a projection."""
    return [
        Convolution(32, channels // 2, 2 * side, channels, stride=2),
        Convolution(32, channels // 2, 2 * side, channels, kernel=1, padding=0, stride=2),
        Convolution(32, channels, side, channels, times=5),
    ]


CONVOLUTIONS: dict[str, list[Convolution]] = {
    "lenet": [Convolution(64, 1, 28, 6, 5, 2), Convolution(64, 6, 14, 16, 5, 0)],
    "vgg": [
        Convolution(64, 3, 32, 32),
        Convolution(64, 32, 32, 32),
        Convolution(64, 32, 16, 64),
        Convolution(64, 64, 16, 64),
    ],
    "resnet20": [
        Convolution(32, 3, 32, 16),
        Convolution(32, 16, 32, 16, times=6),
        *stage(32, 16),
        *stage(64, 8),
    ],
}


def convolved(convolutions: Sequence[Convolution], engine: Callable[[], training.Engine]) -> Work:
    tensors, nn, _ = engine()
    conv2d, calls = nn.functional.conv2d, []
    for c in convolutions:
        shapes = (c.batch, c.channels, c.side, c.side), (c.out, c.channels, c.kernel, c.kernel)
        images, w = (tensors.from_numpy(training.numbers_of(*shape)) for shape in shapes)
        # Each engine has its own order in memory for results, which is that of the next layer's input.
        x = conv2d(images, tensors.eye(c.channels, dtype=images.dtype).reshape(c.channels, c.channels, 1, 1))
        g = conv2d(x, w, None, c.stride, c.padding)
        x.requires_grad_(c.channels > COLOURS)
        calls.append((c, x, w.requires_grad_(), g))

    def run() -> None:
        for c, x, w, g in calls:
            for _ in range(c.times):
                x.grad = w.grad = None
                conv2d(x, w, None, c.stride, c.padding).backward(g)

    def numbers() -> list[Any]:
        run()
        return [t.grad.numpy() for _, x, w, _ in calls for t in (x, w) if t.grad is not None]

    return Work(run, numbers)


class Activations(NamedTuple):
    """Sigmoids of so many numbers, and hyperbolic tangents, done so many times, on arrays that stay in cache."""

    sigmoids: int
    tanhs: int
    times: int = 1


def gates(sigmoids: int, tanhs: int) -> Activations:
    """Return those of a recurrent layer that has so many of each in a step, forward."""
    steps, n, _ = training.SEQUENCES
    return Activations(sigmoids * n * 128, tanhs * n * 128, steps)


ACTIVATIONS: dict[str, Activations] = {
    "lstm": gates(3, 2),
    "gru": gates(2, 1),
    "elementwise": Activations(0, elementwise.LENGTH),
}


def activated(
    what: Activations,
    sigmoid: Callable[[Any], object],
    tanh: Callable[[Any], object],
    own: Callable[[Any], Any],
    scale: float = 1.0,
) -> Work:
    """Return the work of an engine's functions, which write to where they read; `own` makes its arrays of NumPy's.

    What `sigmoid` is given is multiplied by `scale`.
    """
    start = [training.numbers_of(what.sigmoids) * np.float32(scale), training.numbers_of(what.tanhs)]
    rooms = [array.copy() for array in start]
    x, y = map(own, rooms)

    def run() -> None:
        for _ in range(what.times):
            sigmoid(x)
            tanh(y)

    def numbers() -> list[Any]:
        for room, array in zip(rooms, start, strict=True):
            room[...] = array
        sigmoid(x)
        tanh(y)
        return [room for room in rooms if room.size]

    return Work(run, numbers)


def activated_by_numpy(what: Activations) -> Work:
    """Return the work of those, done in the quickest way that is known; loops are shared where it pays."""
    from autograd.blocks import in_pieces
    from autograd.kernels import sigmoids

    def tanh(y: Any) -> None:
        in_pieces(lambda some: np.tanh(y[some], out=y[some]), len(y), y.size)

    return activated(what, sigmoids.apply, tanh, np.asarray, sigmoids.scale())


def activated_by_torch(what: Activations) -> Work:
    import torch

    return activated(what, torch.sigmoid_, torch.tanh_, torch.from_numpy)


ACTIVATED = {"numpy": activated_by_numpy, "torch": activated_by_torch}


class Part(NamedTuple):
    """The race in what is a part of the work `whole`; its first contestant is NumPy, or us."""

    whole: str
    race: Race


def part_of(name: str, what: str, contestants: Mapping[str, Callable[..., Work]]) -> Part:
    """Return a part of the work `name`."""
    return Part(name, Race(f"{name}-{what}", f"the {what} of {name}", tuple, contestants, "a step", tolerance=1e-3))


PARTS: list[Part] = [
    *(
        part_of(name, "products", {"numpy": partial(by_numpy, some), "torch": partial(by_torch, some)})
        for name, some in PRODUCTS.items()
    ),
    *(
        part_of(name, "activations", {n: partial(by, some) for n, by in ACTIVATED.items()})
        for name, some in ACTIVATIONS.items()
    ),
    *(
        part_of(name, "convolutions", {n: partial(convolved, some, e) for n, e in training.ENGINES.items()})
        for name, some in CONVOLUTIONS.items()
    ),
]


def copying(copy: Callable[[Any, Any], object]) -> Work:
    x, y = training.numbers_of(LARGE), np.zeros(LARGE, np.float32)

    def numbers() -> list[Any]:
        copy(x, y)
        return [y]

    return Work(lambda: copy(x, y), numbers)


def copying_by_torch() -> Work:
    import torch

    return copying(lambda x, y: torch.from_numpy(y).copy_(torch.from_numpy(x)))


def looping(length: int, shift: int = 0, shared: bool = False) -> Work:
    """Return the work of adding so many numbers, again and again.

    Arrays begin `shift` bytes behind a line of the cache. If it is `shared`, each thread has its part of the loops, and
    arrays of its own.
    """
    from autograd import get_num_threads
    from autograd.memory import aligned
    from autograd.threads import share

    def arrays() -> list[Any]:
        found = [aligned(4 * length + shift, np.uint8)[shift:].view(np.float32) for _ in range(3)]
        for array in found:
            array[...] = 1
        return found

    rooms = [arrays() for _ in range(get_num_threads() if shared else 1)]

    def part(start: int, stop: int) -> None:
        x, y, out = rooms[-(-start * len(rooms) // LOOPS)]
        for _ in range(start, stop):
            np.add(x, y, out=out)

    def run() -> None:
        share(part, LOOPS, LOOPS // len(rooms))

    def numbers() -> list[Any]:
        run()
        return [rooms[0][2]]

    return Work(run, numbers)


def loops(kind: str, **how: Any) -> dict[str, Race]:
    """Return the works of short and of long loops."""
    works = {f"{name}{kind}": partial(looping, length, **how) for name, length in LOOP_LENGTHS.items()}
    return {name: Race(name, "loops in cache", tuple, {OURS: work}, "a turn") for name, work in works.items()}


COPY = Race(
    name="copy",
    what="a copy of 64 MB",
    inputs=tuple,
    contestants={"numpy": partial(copying, lambda x, y: np.copyto(y, x)), "torch": copying_by_torch},
    unit="a copy",
)
LOOPING = {**loops(""), **loops("-unaligned", shift=SHIFT), **loops("-shared", shared=True)}


@dataclass(frozen=True)
class Limits(BesideTorch):
    """Parts of the works `whole` beside PyTorch's whole steps, and what loops take."""

    whole: Mapping[str, Race]
    what: str = "What no engine on NumPy can do without, alone, beside PyTorch's whole step"

    def run(self, wanted: Sequence[str], rounds: int | None, threads: int) -> dict[str, Any]:
        """Measure, print and return the times."""
        print(f"\n{self.what}", flush=True)
        figures: dict[str, Any] = {"agree": True, "parts": {}}
        rivals = self.against(wanted)
        for part in PARTS:
            figures["parts"][part.race.name] = entry = self.part(part, rivals, rounds, threads)
            figures["agree"] &= entry["agree"]
        figures["machine"] = machine(rivals, rounds, threads)
        return figures

    def part(self, part: Part, rivals: Sequence[str], rounds: int | None, threads: int) -> dict[str, Any]:
        """Measure, print and return what a part takes by itself."""
        race = part.race
        first = next(iter(race.contestants))
        works = {engine: (engine, race) for engine in (first, *rivals)}
        works |= {f"{rival}, all": (rival, self.whole[part.whole]) for rival in rivals}
        with ready(works, threads) as runners:
            numbers = [runners[key].numbers() for key in (first, *rivals)]
            agree = all(difference(numbers[0], other) <= race.tolerance for other in numbers)
            times = take_turns(runners, rounds)
        entry: dict[str, Any] = {"what": race.what, "agree": agree}
        entry["seconds"] = {key: statistics.median(seconds) for key, seconds in times.items()}
        line = f"   {race.what:40}" + "".join(f" {key} {readable(s)};" for key, s in entry["seconds"].items())
        for rival in rivals if agree else ():
            ratios = [a / b for a, b in zip(times[first], times[f"{rival}, all"], strict=True)]
            entry["ratio"], entry["spread"] = statistics.median(ratios), spread(ratios)
            line += f" {entry['ratio']:.2f} of {rival}'s whole step"
        print(line + ("" if agree else "   DISAGREES"), flush=True)
        return entry


@contextmanager
def ready(works: Mapping[str, tuple[str, Race]], threads: int) -> Iterator[dict[str, Runner]]:
    """Have a process for each engine and work, by the same names, until the block ends."""
    with ExitStack() as stack:
        # All start before the first is asked, as in a race.
        runners = {key: stack.enter_context(Runner(engine, threads)) for key, (engine, _) in works.items()}
        for key, (_, race) in works.items():
            runners[key].enter(race.name, race.inputs())
        yield runners


def machine(rivals: Sequence[str], rounds: int | None, threads: int) -> dict[str, Any]:
    """Measure, print and return what copies and loops take, in seconds each."""
    works = {f"copy by {name}": (name, COPY) for name in ("numpy", *rivals)}
    works |= {name: (OURS, race) for name, race in LOOPING.items()}
    with ready(works, threads) as runners:
        times = take_turns(runners, rounds)
    found = {key: statistics.median(seconds) / (LOOPS if key in LOOPING else 1) for key, seconds in times.items()}
    for key, seconds in found.items():
        print(f"   {key:24} {readable(seconds)}", flush=True)
    return found


WORKS = {race.name: race for race in (*(part.race for part in PARTS), COPY, *LOOPING.values())}
