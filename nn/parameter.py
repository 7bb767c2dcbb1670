"""Parameter: a tensor that a module learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import Tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class Parameter(Tensor):
    """A tensor that a module learns: as an attribute of a `Module` it is found by `parameters()`.

    Parameters
    ----------
    data : a number, nested lists of numbers, an array or a tensor; it is copied.
    requires_grad : whether it is learned; False freezes it.
    dtype : float32 if left out, whatever that of `data`; complex data become complex64.
    name : what pictures and messages call it.

    Examples
    --------
    >>> import numpy as np
    >>> from nn import Parameter
    >>> Parameter(np.ones(2))
    Parameter([1., 1.], shape=(2,), dtype=float32, requires_grad=True)
    """

    __slots__ = ()

    def __init__(
        self, data: Any, requires_grad: bool = True, dtype: DTypeLike | None = None, name: str | None = None
    ) -> None:
        if isinstance(data, Tensor):
            data = data.data
        if dtype is None:
            dtype = np.complex64 if np.iscomplexobj(data) else np.float32
        super().__init__(data, dtype=dtype, name=name)
        if self.dtype.kind not in "fc":
            raise TypeError(f"a parameter is of a floating or complex dtype, not {self.dtype}")
        self._hold_array()
        self.requires_grad_(requires_grad)

    @property
    def data(self) -> Any:
        """The array itself, 0-d ones too: changing it in place fools the graph, unless `mark_overwritten` says so."""
        return self._array

    @data.setter
    def data(self, value: Any) -> None:
        set_data(self, value)
        self._hold_array()

    def _hold_array(self) -> None:
        """Hold an array even where it is 0-d, so that it can be stepped in place; other tensors hold numbers there."""
        if not isinstance(self._array, np.ndarray):
            self._array = np.asarray(self._array)
            if self._leaf is not None:
                self._leaf.hold(self._array)


set_data: Any = vars(Tensor)["data"].fset
