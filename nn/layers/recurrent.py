"""Recurrent layers: plain, LSTM and GRU, over sequences and as single cells."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from autograd import Tensor, ops
from nn import functional as F
from nn.layers.entry import check_last, constant, entered, positive, probability, uniform
from nn.layers.sequences import gru_sequence, gru_step, lstm_sequence, lstm_step, rnn_sequence, rnn_step, summed
from nn.module import Module
from nn.parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class Recurrent(Module):
    """What `RNN`, `LSTM` and `GRU` share.

    A layer k has `weight_ih_lk` (gates * H, its input), `weight_hh_lk` (gates * H, H), `bias_ih_lk` and `bias_hh_lk`
    (gates * H,), those of the reverse direction with `_reverse` behind; all are drawn from U[-1/√H, 1/√H].
    """

    gates: ClassVar[int]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        dtype: DTypeLike | None,
        proj_size: int = 0,
    ) -> None:
        super().__init__()
        self.input_size = positive(input_size, "input_size")
        self.hidden_size = positive(hidden_size, "hidden_size")
        self.num_layers = positive(num_layers, "num_layers")
        self.bias = bool(bias)
        self.batch_first = batch_first
        self.dropout = probability(dropout, "dropout")
        self.bidirectional = bidirectional
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"proj_size is from 0 to less than hidden_size {hidden_size}, not {proj_size}")
        self.proj_size = proj_size
        if dropout > 0 and num_layers == 1:
            warnings.warn("dropout is between layers: with num_layers=1 it does nothing", stacklevel=3)
        bound = 1 / math.sqrt(hidden_size)
        size = proj_size or hidden_size
        rows = self.gates * hidden_size
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else size * self.directions
            for suffix in self.suffixes(layer):
                setattr(self, f"weight_ih_{suffix}", uniform((rows, inputs), bound, dtype))
                setattr(self, f"weight_hh_{suffix}", uniform((rows, size), bound, dtype))
                if bias:
                    setattr(self, f"bias_ih_{suffix}", uniform((rows,), bound, dtype))
                    setattr(self, f"bias_hh_{suffix}", uniform((rows,), bound, dtype))
                if proj_size:
                    setattr(self, f"weight_hr_{suffix}", uniform((proj_size, hidden_size), bound, dtype))

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def suffixes(self, layer: int) -> list[str]:
        return [f"l{layer}", f"l{layer}_reverse"][: self.directions]

    def parts(self, suffix: str) -> tuple[Parameter, Parameter, Parameter | None, Parameter | None]:
        """Return the weights and biases of one direction of a layer."""
        names = vars(self)
        ih, hh = names[f"weight_ih_{suffix}"], names[f"weight_hh_{suffix}"]
        return ih, hh, names.get(f"bias_ih_{suffix}"), names.get(f"bias_hh_{suffix}")

    def sequence(self, input: Any) -> tuple[Tensor, bool]:
        """Return the input as (T, N, features), and whether there was no batch."""
        x = entered(input, vars(self)["weight_ih_l0"])
        if x.ndim not in (2, 3):
            layout = "(N, T, features)" if self.batch_first else "(T, N, features)"
            raise ValueError(f"expected {layout} or (T, features), got {x.ndim} axes")
        check_last(x, self.input_size)
        single = x.ndim == 2
        if single:
            x = x.reshape(x.shape[0], 1, x.shape[1])
        elif self.batch_first:
            x = x.swapaxes(0, 1)
        if not len(x):
            raise ValueError("expected at least one step, got none")
        return x, single

    def first(self, state: Any, x: Tensor, single: bool, size: int, name: str) -> list[Tensor]:
        """Return the first state of each layer and direction, (N, size) each."""
        count, n = self.num_layers * self.directions, x.shape[1]
        if state is None:
            zeros = constant(np.zeros((n, size), x.dtype))
            return [zeros] * count
        state = entered(state, x)
        expected = (count, size) if single else (count, n, size)
        if state.shape != expected:
            raise ValueError(f"expected {name} {expected}, got {state.shape}")
        if single:
            state = state.reshape(count, 1, size)
        return [state[i] for i in range(count)]

    def between(self, outs: list[Tensor], layer: int) -> Tensor:
        """Return what a layer gives to the next: both directions side by side, with dropout while training."""
        x: Tensor = outs[0] if len(outs) == 1 else ops.concatenate(outs, -1)
        return F.dropout(x, self.dropout, self.training and layer < self.num_layers - 1)

    def finished(self, x: Tensor, single: bool) -> Tensor:
        if single:
            return x.reshape(x.shape[0], x.shape[2])
        return x.swapaxes(0, 1) if self.batch_first else x

    def last(self, states: list[Tensor], single: bool) -> Tensor:
        """Return the last state of each layer and direction as one tensor."""
        found: Tensor = ops.stack(states)
        return found.reshape(found.shape[0], found.shape[2]) if single else found

    def walk(self) -> Iterator[tuple[int, list[tuple[int, str, bool]]]]:
        """Yield each layer, and of each direction its number, its names' suffix and whether it is the reverse."""
        for layer in range(self.num_layers):
            suffixes = self.suffixes(layer)
            yield layer, [(layer * len(suffixes) + d, suffix, d == 1) for d, suffix in enumerate(suffixes)]

    def extra_repr(self) -> str:
        options = [f"{self.input_size}, {self.hidden_size}"]
        if self.proj_size:
            options.append(f"proj_size={self.proj_size}")
        if self.num_layers != 1:
            options.append(f"num_layers={self.num_layers}")
        if not self.bias:
            options.append("bias=False")
        if self.batch_first:
            options.append("batch_first=True")
        if self.dropout:
            options.append(f"dropout={self.dropout}")
        if self.bidirectional:
            options.append("bidirectional=True")
        return ", ".join(options)

    def cost(self, args: tuple[Any, ...], result: Any) -> int:
        steps = math.prod(result[0].shape[:-1])
        return steps * sum(p.size for p in self.parameters() if p.ndim == 2)


class RNN(Recurrent):
    """A plain recurrent net: h = tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh), step by step.

    Parameters
    ----------
    input_size, hidden_size : the numbers of a step, and of the state, H.
    num_layers : each after the first takes the states of the one before as its input.
    nonlinearity : "tanh" or "relu".
    bias : whether there are any.
    batch_first : whether the batch is axis 0: (N, T, features) rather than (T, N, features).
    dropout : the probability of dropping, while training, between layers.
    bidirectional : also go through the sequence in reverse, with weights of its own.
    dtype : of the parameters, float32 if left out.

    Returns
    -------
    The states of the last layer (T, N, directions * H), and the last ones of all, (num_layers * directions, N, H). The
    call takes the first ones of that shape as a second argument; left out they are zeros.

    Examples
    --------
    >>> import nn, numpy as np
    >>> states, last = nn.RNN(3, 4, num_layers=2)(np.zeros((5, 2, 3)))
    >>> states.shape, last.shape
    ((5, 2, 4), (2, 2, 4))
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)
        self.nonlinearity = checked_nonlinearity(nonlinearity)

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, Tensor]:
        x, single = self.sequence(input)
        states = self.first(hx, x, single, self.hidden_size, "a state")
        for layer, ways in self.walk():
            outs = []
            for i, suffix, reverse in ways:
                ih, hh, bias_ih, bias_hh = self.parts(suffix)
                gates = F.linear(directed(x, reverse), ih, summed(bias_ih, bias_hh))
                out = rnn_sequence(gates, hh, states[i], self.nonlinearity)
                states[i] = out[-1]
                outs.append(directed(out, reverse))
            x = self.between(outs, layer)
        return self.finished(x, single), self.last(states, single)

    def extra_repr(self) -> str:
        return super().extra_repr() + (", nonlinearity=relu" if self.nonlinearity == "relu" else "")


class LSTM(Recurrent):
    """A long short-term memory: c = f * c + i * g, h = o * tanh(c), where input, state and bias make the gates.

    The gates i, f and o are sigmoids and g a tanh; in the weights they come in the order i, f, g, o.

    Parameters
    ----------
    input_size, hidden_size : the numbers of a step, and of state and cell, H.
    num_layers, bias, batch_first, dropout, bidirectional, dtype : as in `RNN`.
    proj_size : project the states to this size by a further weight `weight_hr_lk`; 0 for none.

    Returns
    -------
    The states of the last layer (T, N, directions * H), and the pair of the last states and the last cells of all,
    (num_layers * directions, N, H) each. The call takes such a pair to begin with as a second argument.

    Examples
    --------
    >>> import nn, numpy as np
    >>> states, (h, c) = nn.LSTM(3, 4, bidirectional=True)(np.zeros((5, 2, 3)))
    >>> states.shape, h.shape, c.shape
    ((5, 2, 8), (2, 2, 4), (2, 2, 4))
    """

    gates = 4

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype, proj_size
        )

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        x, single = self.sequence(input)
        h, c = (None, None) if hx is None else pair_of(hx)
        states = self.first(h, x, single, self.proj_size or self.hidden_size, "a state")
        cells = self.first(c, x, single, self.hidden_size, "a cell")
        for layer, ways in self.walk():
            outs = []
            for i, suffix, reverse in ways:
                given = (directed(x, reverse), *self.parts(suffix), states[i], cells[i])
                if self.proj_size:
                    out, cells[i] = projected_lstm(*given, vars(self)[f"weight_hr_{suffix}"])
                else:
                    out, cells[i] = lstm_sequence(*given)
                states[i] = out[-1]
                outs.append(directed(out, reverse))
            x = self.between(outs, layer)
        return self.finished(x, single), (self.last(states, single), self.last(cells, single))


def projected_lstm(
    x: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None,
    bias_hh: Tensor | None,
    h: Tensor,
    c: Tensor,
    projection: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the projected states of an LSTM, and the last cell."""
    states = []
    for gates in F.linear(x, weight_ih, summed(bias_ih, bias_hh)):
        h, c = lstm_step(gates, h, c, weight_hh)
        h = h @ projection.T
        states.append(h)
    return ops.stack(states), c


def directed(steps: Tensor, reverse: bool) -> Tensor:
    """Return the steps in the order in which they are gone through, or back in their own."""
    return steps[::-1] if reverse else steps


class GRU(Recurrent):
    """A gated recurrent unit: h = (1 - z) * n + z * h with n = tanh(x @ W_n.T + b_n + r * (h @ U_n.T + c_n)).

    The gates r and z are sigmoids; in the weights they come in the order r, z, n.

    Parameters
    ----------
    input_size, hidden_size : the numbers of a step, and of the state, H.
    num_layers, bias, batch_first, dropout, bidirectional, dtype : as in `RNN`.

    Returns
    -------
    The states of the last layer (T, N, directions * H), and the last ones of all, (num_layers * directions, N, H).

    Examples
    --------
    >>> import nn, numpy as np
    >>> states, last = nn.GRU(3, 4, batch_first=True)(np.zeros((2, 5, 3)))
    >>> states.shape, last.shape
    ((2, 5, 4), (1, 2, 4))
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, Tensor]:
        x, single = self.sequence(input)
        states = self.first(hx, x, single, self.hidden_size, "a state")
        for layer, ways in self.walk():
            outs = []
            for i, suffix, reverse in ways:
                out = gru_sequence(directed(x, reverse), *self.parts(suffix), states[i])
                states[i] = out[-1]
                outs.append(directed(out, reverse))
            x = self.between(outs, layer)
        return self.finished(x, single), self.last(states, single)


def checked_nonlinearity(nonlinearity: str) -> str:
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
    return nonlinearity


def pair_of(hx: Any) -> tuple[Any, Any]:
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        raise TypeError("expected a pair of states and cells as the second argument")
    return hx[0], hx[1]


# Cells: one step


class Cell(Module):
    """What the cells share: `weight_ih` (gates * H, input), `weight_hh` (gates * H, H), `bias_ih` and `bias_hh`."""

    gates: ClassVar[int]

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: DTypeLike | None = None) -> None:
        super().__init__()
        self.input_size = positive(input_size, "input_size")
        self.hidden_size = positive(hidden_size, "hidden_size")
        self.bias = bool(bias)
        bound = 1 / math.sqrt(hidden_size)
        rows = self.gates * hidden_size
        self.weight_ih = uniform((rows, input_size), bound, dtype)
        self.weight_hh = uniform((rows, hidden_size), bound, dtype)
        self.bias_ih = uniform((rows,), bound, dtype) if bias else None
        self.bias_hh = uniform((rows,), bound, dtype) if bias else None

    def step(self, input: Any) -> Tensor:
        """Return the input as a tensor, of a batch or not."""
        x = entered(input, self.weight_ih)
        if x.ndim not in (1, 2):
            raise ValueError(f"expected (N, features) or (features), got {x.ndim} axes")
        check_last(x, self.input_size)
        return x

    def state(self, given: Any, x: Tensor, name: str = "a state") -> Tensor:
        """Return a state, zeros if there is none."""
        expected = (*x.shape[:-1], self.hidden_size)
        if given is None:
            return constant(np.zeros(expected, x.dtype))
        state = entered(given, self.weight_ih)
        if state.shape != expected:
            raise ValueError(f"expected {name} {expected}, got {state.shape}")
        return state

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")

    def cost(self, args: tuple[Any, ...], result: Any) -> int:
        state = result[0] if isinstance(result, tuple) else result
        return math.prod(state.shape[:-1]) * (self.weight_ih.size + self.weight_hh.size)


class RNNCell(Cell):
    """One step of `RNN`: takes (N, input_size) and a state (N, H) to the next state.

    >>> import nn, numpy as np
    >>> nn.RNNCell(3, 4)(np.zeros((2, 3))).shape
    (2, 4)
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype=dtype)
        self.nonlinearity = checked_nonlinearity(nonlinearity)

    def forward(self, input: Any, hx: Any = None) -> Tensor:
        x = self.step(input)
        h = self.state(hx, x)
        return rnn_step(
            F.linear(x, self.weight_ih, summed(self.bias_ih, self.bias_hh)), h, self.weight_hh, self.nonlinearity
        )

    def extra_repr(self) -> str:
        return super().extra_repr() + (", nonlinearity=relu" if self.nonlinearity == "relu" else "")


class LSTMCell(Cell):
    """One step of `LSTM`: takes (N, input_size) and a pair of state and cell, (N, H) each, to the next pair.

    >>> import nn, numpy as np
    >>> h, c = nn.LSTMCell(3, 4)(np.zeros((2, 3)))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    gates = 4

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, Tensor]:
        x = self.step(input)
        h, c = (None, None) if hx is None else pair_of(hx)
        gates = F.linear(x, self.weight_ih, summed(self.bias_ih, self.bias_hh))
        return lstm_step(gates, self.state(h, x), self.state(c, x, "a cell"), self.weight_hh)


class GRUCell(Cell):
    """One step of `GRU`: takes (N, input_size) and a state (N, H) to the next state.

    >>> import nn, numpy as np
    >>> nn.GRUCell(3, 4)(np.zeros((2, 3))).shape
    (2, 4)
    """

    gates = 3

    def forward(self, input: Any, hx: Any = None) -> Tensor:
        x = self.step(input)
        h = self.state(hx, x)
        return gru_step(F.linear(x, self.weight_ih, self.bias_ih), h, self.weight_hh, self.bias_hh)
