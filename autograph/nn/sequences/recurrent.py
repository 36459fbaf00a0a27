"""Recurrent layers: RNN, LSTM and GRU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.checks import is_number
from autograph.functions.recurrence.cells import GRU as GRU_CELL
from autograph.functions.recurrence.cells import LSTM as LSTM_CELL
from autograph.functions.recurrence.cells import RELU, TANH, Cell
from autograph.functions.recurrence.steps import recur
from autograph.functions.shapes.joining import concat, stack
from autograph.random.masks import dropout
from autograph.tensor.base import require_tensor
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, f32

from ..initialize import initial, require_counts
from ..initializers import Fans, uniform
from ..layer import Layer
from ..seeds import Seed, draws, generator
from ..settings import settings


class _Recurrent(Layer):
    """What recurrent layers have in common."""

    _cell: Cell
    _several: ClassVar[bool] = False

    def __init__(
        self,
        inputs: int,
        hidden: int,
        layers: int = 1,
        *,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device | None = None,
        dtype: DTypeLike = f32,
        seed: Seed = None,
    ) -> None:
        name = type(self).__name__
        require_counts(name, inputs=inputs, hidden=hidden, layers=layers)
        if not is_number(dropout) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise AutographError(f"{name}(dropout={dropout!r}): expected a probability from 0 to 1")
        self.inputs, self.hidden, self.layers = int(inputs), int(hidden), int(layers)
        self.bias, self.dropout, self.bidirectional = bool(bias), float(dropout), bool(bidirectional)
        rng = generator(seed)
        gates, bound = self._cell.gates * hidden, hidden**-0.5
        for layer in range(layers):
            width = inputs if layer == 0 else hidden * (1 + bidirectional)
            for end in self._ends:
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates, width), "weight_hh": (gates, hidden)}
                shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)} if bias else {}
                for kind, shape in shapes.items():
                    fans = Fans(shape[-1], gates)
                    parameter = initial(shape, fans, uniform(-bound, bound), rng, dtype, device)
                    setattr(self, f"{kind}_l{layer}{end}", parameter)
        self.generator = draws(rng) if dropout and layers > 1 else None

    @property
    def _ends(self) -> tuple[str, ...]:
        """Of the names of parameters: one for each direction."""
        return ("", "_reverse") if self.bidirectional else ("",)

    def _run(self, x: Tensor, states: Sequence[Tensor] | None, lengths: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """The outputs, and the last states ``[layers * directions, batch, hidden]``."""
        first = self._checked(x, states, lengths)
        y, last = x.transpose(1, 0, 2).copy(), []
        for layer in range(self.layers):
            if layer and self.generator is not None and self.training:
                y = dropout(y, self.dropout, self.generator)
            outputs = []
            for direction, end in enumerate(self._ends):
                place = layer * len(self._ends) + direction
                weights = self._parameters("weight", f"l{layer}{end}")
                biases = self._parameters("bias", f"l{layer}{end}") if self.bias else ()
                given = tuple(state[place] for state in first)
                results = recur(self._cell, y @ weights[0].T, weights[1], biases, given, lengths, direction == 1)
                outputs.append(results[0])
                last.append(results[1:])
            y = outputs[0] if len(outputs) == 1 else concat(outputs, axis=2)
        return y.transpose(1, 0, 2), [stack(list(states), axis=0) for states in zip(*last, strict=True)]

    def _parameters(self, kind: str, name: str) -> tuple[Parameter, ...]:
        return tuple(getattr(self, f"{kind}_{of}_{name}") for of in ("ih", "hh"))

    def _checked(self, x: Tensor, states: Any, lengths: Any) -> list[Tensor]:
        """The first states, where everything fits."""
        name = type(self).__name__
        require_tensor(name, x)
        weight: Parameter = self.weight_hh_l0  # type: ignore[attr-defined]
        if x.ndim != 3 or x.shape[2] != self.inputs:
            raise ShapeError(f"{name} takes x of shape [batch, steps, {self.inputs}], not {x.shape}")
        if x.dtype is not weight.dtype:
            raise DtypeError(f"{name} of {weight.dtype} and x of {x.dtype}; convert one, for example x.cast('f32')")
        batch, count = x.shape[0], self.layers * len(self._ends)
        shape = count, batch, self.hidden
        if states is None:
            zeros = Tensor.zeros(shape, x.dtype, x.device)
            states = [zeros] * (1 + self._cell.has_memory)
        for state in states:
            require_tensor(name, state)
            if state.shape != shape:
                raise ShapeError(f"{name}: a state of shape {state.shape}; expected [layers, batch, hidden], {shape}")
            if state.dtype is not x.dtype:
                raise DtypeError(f"{name}: a state of {state.dtype} for x of {x.dtype}")
        if lengths is not None:
            require_tensor(f"{name}(lengths=)", lengths)
            if lengths.shape != (batch,):
                raise ShapeError(f"{name}: lengths of shape {lengths.shape} for {batch} sequences")
            if not lengths.dtype.is_integer:
                raise DtypeError(f"{name}: lengths of {lengths.dtype}; expected whole numbers")
        for other in (weight, *states, *([] if lengths is None else [lengths])):
            if other.device != x.device:
                raise DeviceError(
                    f"{name}: x lies on {x.device.name}, but a weight, a state or the lengths on {other.device.name}"
                )
        return list(states)

    def describe(self) -> str:
        return settings(
            self.inputs,
            self.hidden,
            *((self.layers,) if self.layers > 1 else ()),
            bias=(self.bias, True),
            dropout=(self.dropout, 0.0),
            bidirectional=(self.bidirectional, False),
        )


class RNN(_Recurrent):
    """A recurrent network: ``h' = tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh)``.

    Source: J. L. Elman, "Finding Structure in Time", 1990. Parameters have PyTorch's names, shapes and order of gates.

    Args:
        inputs: features of an input.
        hidden: numbers of a state.
        layers: of which each reads the outputs of the one below it.
        activation: ``"tanh"`` or ``"relu"``.
        bias: whether there are both biases.
        dropout: of the outputs of all layers but the last, in training.
        bidirectional: each layer has a second direction, from the last step to the first; the outputs of both stand
            side by side.
        device: where the parameters are; None is the host.
        dtype: a float type.
        seed: an int, a generator to draw from, or None; see :func:`autograph.seeded`.

    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0: ``[gates, inputs]``, ``[gates, hidden]`` and ``[gates]``,
            drawn from ``[-a, a)`` with ``a = 1 / sqrt(hidden)``; of the second layer ``_l1``, of the second direction
            ``_l0_reverse``, and so on.

    Raises:
        AutographError: a count is below 1, ``dropout`` no probability, or ``seed`` not a seed, or there is no such
            ``activation``.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import RNN, Tensor
    >>> y, state = RNN(4, 8, 2, seed=0)(Tensor.ones((3, 5, 4)))
    >>> y.shape, state.shape
    ((3, 5, 8), (2, 3, 8))
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        layers: int = 1,
        *,
        activation: Literal["tanh", "relu"] = "tanh",
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device | None = None,
        dtype: DTypeLike = f32,
        seed: Seed = None,
    ) -> None:
        if not isinstance(activation, str) or activation not in ("tanh", "relu"):
            raise AutographError(f"RNN(activation={activation!r}): expected 'tanh' or 'relu'")
        self._cell = TANH if activation == "tanh" else RELU
        super().__init__(
            inputs, hidden, layers, bias=bias, dropout=dropout, bidirectional=bidirectional, device=device, dtype=dtype,
            seed=seed,
        )  # fmt: skip

    def forward(
        self, x: Tensor, state: Tensor | None = None, *, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The outputs of all steps, and the last state.

        Args:
            x: ``[batch, steps, inputs]``.
            state: the first one, ``[layers * directions, batch, hidden]``; None is 0.
            lengths: of the sequences, whole numbers ``[batch]``: after its end, a sequence's state stays, and its
                outputs are 0.

        Returns:
            ``[batch, steps, hidden * directions]``, and ``[layers * directions, batch, hidden]``.

        Raises:
            ShapeError: shapes do not fit. DtypeError: dtypes differ. DeviceError: devices differ.

        >>> from autograph import RNN, Tensor
        >>> layer, x = RNN(2, 3, seed=0), Tensor.ones((2, 4, 2))
        >>> y, state = layer(x, lengths=Tensor.from_numpy([4, 1]))
        >>> (y[1, 0] == state[0, 1]).all().item(), y[1, 1].numpy().tolist()
        (True, [0.0, 0.0, 0.0])
        """
        y, (last,) = self._run(x, None if state is None else [state], lengths)
        return y, last


class GRU(_Recurrent):
    """A network of gated recurrent units.

    ``r`` and ``z`` are sigmoids of sums as of an :class:`RNN`, ``n`` is ``tanh`` of the input's part plus ``r`` times
    that of the state, and the next state is ``(1 - z) * n + z * h``. Gates stand in the order r, z, n. Source: K. Cho
    et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014.

    Args:
        inputs, hidden, layers, bias, dropout, bidirectional, device, dtype, seed: as :class:`RNN` takes them.

    Raises:
        AutographError: a count is below 1, ``dropout`` no probability, or ``seed`` not a seed.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import GRU
    >>> GRU(4, 8, bidirectional=True, seed=0).weight_hh_l0_reverse.shape
    (24, 8)
    """

    _cell = GRU_CELL

    def forward(
        self, x: Tensor, state: Tensor | None = None, *, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The outputs of all steps, and the last state.

        Args:
            x, state, lengths: as :meth:`RNN.forward` takes them.

        Returns:
            ``[batch, steps, hidden * directions]``, and ``[layers * directions, batch, hidden]``.

        Raises:
            ShapeError: shapes do not fit. DtypeError: dtypes differ. DeviceError: devices differ.

        >>> from autograph import GRU, Tensor
        >>> layer, x = GRU(2, 3, seed=0), Tensor.ones((1, 4, 2))
        >>> first, state = layer(x[:, :2])
        >>> rest, state = layer(x[:, 2:], state)
        >>> bool((abs(rest - layer(x)[0][:, 2:]) < 1e-6).all())
        True
        """
        y, (last,) = self._run(x, None if state is None else [state], lengths)
        return y, last


class LSTM(_Recurrent):
    """A network with long short-term memory.

    The gates ``i``, ``f`` and ``o`` are sigmoids of sums as of an :class:`RNN`, ``g`` is ``tanh`` of one, the next
    memory is ``f * c + i * g``, the next state ``o * tanh(c)``. Gates stand in the order i, f, g, o. Source: S.
    Hochreiter, J. Schmidhuber, "Long Short-Term Memory", 1997.

    Args:
        inputs, hidden, layers, bias, dropout, bidirectional, device, dtype, seed: as :class:`RNN` takes them.

    Raises:
        AutographError: a count is below 1, ``dropout`` no probability, or ``seed`` not a seed.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import LSTM
    >>> LSTM(4, 8, 2, dropout=0.1, seed=0)
    LSTM(4, 8, 2, dropout=0.1)  1,024 parameters
    """

    _cell = LSTM_CELL

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None, *, lengths: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The outputs of all steps, and the last states.

        Args:
            x, lengths: as :meth:`RNN.forward` takes them.
            state: the first state and memory, ``[layers * directions, batch, hidden]`` each; None is 0.

        Returns:
            ``[batch, steps, hidden * directions]``, and a pair of ``[layers * directions, batch, hidden]``.

        Raises:
            ShapeError: shapes do not fit. DtypeError: dtypes differ. DeviceError: devices differ.

        >>> from autograph import LSTM, Tensor
        >>> y, (state, memory) = LSTM(4, 8, seed=0)(Tensor.ones((3, 5, 4)))
        >>> y.shape, state.shape, memory.shape
        ((3, 5, 8), (1, 3, 8), (1, 3, 8))
        """
        if state is not None and not (isinstance(state, list | tuple) and len(state) == 2):
            raise ShapeError("LSTM takes a pair of states, (state, memory), as it returns them")
        y, (last, memory) = self._run(x, state, lengths)
        return y, (last, memory)
