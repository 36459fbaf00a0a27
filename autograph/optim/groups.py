"""Optimizers with settings, and other settings for some of a model's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeAlias

from autograph.errors import AutographError, DtypeError
from autograph.functions.checks import is_number
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor

Setting: TypeAlias = "float | int | str | bool"


class Configured:
    """What the optimizers of this package share: their settings, by name, are those they are made with.

    Args:
        settings: as they are written in checkpoints.

    Raises:
        DtypeError: ``settings`` is no mapping.

    >>> from autograph.optim import SGD
    >>> SGD(0.5)
    SGD(momentum=0.5, dampening=0.0, weight_decay=0.0, nesterov=False)
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        if not isinstance(settings, Mapping):
            raise DtypeError(f"{type(self).__name__}: settings are a mapping from names, not {type(settings).__name__}")
        self._settings = dict(settings)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._settings.items())})"

    def settings(self) -> dict[str, Setting]:
        """The settings, by name, as they are written in checkpoints.

        >>> from autograph import SGD
        >>> SGD(momentum=0.9).settings()["momentum"]
        0.9
        """
        return dict(self._settings)

    def update_all(
        self,
        parameters: Mapping[str, Parameter],
        learning_rate: float,
        *,
        scale: float = 1.0,
        factor: Tensor | None = None,
    ) -> None:
        """Changes all parameters that have a gradient, in place; nothing is read back.

        Args:
            parameters: by name.
            learning_rate: a number, or a parameter of the graph that is being captured.
            scale: times the learning rate.
            factor: a tensor of one element: each gradient is multiplied by it. Where it is 0, nothing is changed.

        Raises:
            DtypeError, ShapeError, LaunchError: as by ``update``, before anything is changed.

        >>> from autograph import SGD, Dense, Tensor
        >>> model = Dense(2, 1, bias=True, seed=0)
        >>> model.bias.fill(1)
        >>> model.init_parameter_grads()
        >>> model(Tensor.ones((1, 2))).sum().backward()
        >>> SGD().update_all(dict(model.named_parameters()), 0.5)
        >>> model.bias.item()
        0.5
        """
        raise NotImplementedError

    def group(
        self,
        *patterns: str,
        rate: float = 1.0,
        frozen: bool = False,
        optimizer: Configured | None = None,
        **settings: Any,
    ) -> Groups:
        """This optimizer for all parameters but some, for which it has other settings.

        Args:
            *patterns: of the parameters' names, with ``*`` for any text, as in ``"*.bias"``. A parameter belongs to the
                first group of which a pattern matches. One that matches no parameter is an error of the first step.
            rate: times the learning rate.
            frozen: these parameters are not changed. (``Layer.freeze`` saves their gradients, too.)
            optimizer: another one for these parameters.
            **settings: those of this optimizer that are other ones.

        Returns:
            An optimizer, to which further groups can be added.

        Raises:
            AutographError: no pattern, or a setting that the optimizer has not or that is out of range.
            DtypeError: ``optimizer`` is none of this package's.

        >>> from autograph.optim import AdamW
        >>> optimizer = AdamW(weight_decay=0.1).group("*.bias", weight_decay=0.0).group("head.*", rate=10.0)
        >>> optimizer.group("embedding.*", frozen=True).settings()["groups"]
        ".group('*.bias', weight_decay=0.0).group('head.*', rate=10.0).group('embedding.*', frozen=True)"
        """
        return Groups(self, ()).group(*patterns, rate=rate, frozen=frozen, optimizer=optimizer, **settings)

    def with_settings(self, **settings: Any) -> Configured:
        """The same optimizer with other settings.

        Raises:
            AutographError: it has no such setting, or one is out of range.

        >>> from autograph.optim import SGD
        >>> SGD(0.9).with_settings(weight_decay=0.1).settings()["weight_decay"]
        0.1
        """
        name = type(self).__name__
        if unknown := sorted(settings.keys() - self._settings.keys()):
            has = ", ".join(self._settings) or "none"
            raise AutographError(f"{name} has no setting {', '.join(unknown)}; it has {has}")
        return type(self)(**{**self._settings, **settings})


class _Group(NamedTuple):
    patterns: tuple[str, ...]
    optimizer: Configured | None
    rate: float
    text: str


class Groups(Configured):
    """An optimizer with other settings for some parameters, made by :meth:`Configured.group`.

    >>> from autograph import Dense, Tensor
    >>> from autograph.optim import SGD
    >>> model = Dense(2, 1, bias=True, seed=0)
    >>> model.bias.fill(1)
    >>> model.init_parameter_grads()
    >>> model(Tensor.ones((1, 2))).sum().backward()
    >>> optimizer = SGD().group("bias", rate=0.5)
    >>> model.update(0.5, optimizer)
    >>> model.bias.item()
    0.75
    """

    def __init__(self, optimizer: Configured, groups: tuple[_Group, ...]) -> None:
        super().__init__({**optimizer.settings(), "groups": "".join(group.text for group in groups)})
        self._optimizer = optimizer
        self._groups = groups

    def __repr__(self) -> str:
        return f"{self._optimizer!r}{''.join(group.text for group in self._groups)}"

    def group(
        self,
        *patterns: str,
        rate: float = 1.0,
        frozen: bool = False,
        optimizer: Configured | None = None,
        **settings: Any,
    ) -> Groups:
        """One group more; see :meth:`Configured.group`.

        Raises:
            AutographError: no pattern, or a setting that the optimizer has not or that is out of range.
            DtypeError: ``optimizer`` is none of this package's.

        >>> from autograph.optim import SGD
        >>> optimizer = SGD(0.9).group("encoder.*", frozen=True).group("*.bias", momentum=0.0)
        >>> optimizer.settings()["groups"]
        ".group('encoder.*', frozen=True).group('*.bias', momentum=0.0)"
        """
        if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
            raise AutographError(f"group{patterns!r}: expected patterns of parameters' names, for example '*.bias'")
        if not (is_number(rate) and rate >= 0):
            raise AutographError(f"group: rate={rate!r}; expected a number of at least 0, by which to multiply")
        if optimizer is not None and (not isinstance(optimizer, Configured) or isinstance(optimizer, Groups)):
            raise DtypeError(f"group: optimizer={optimizer!r}; expected one of autograph.optim's without groups")
        own = (optimizer or self._optimizer).with_settings(**settings)
        given = {"rate": rate, "frozen": bool(frozen), "optimizer": optimizer, **settings}
        usual = {"rate": 1.0, "frozen": False, "optimizer": None}
        shown = [f"{name}={value!r}" for name, value in given.items() if name not in usual or value != usual[name]]
        text = f".group({', '.join([*map(repr, patterns), *shown])})"
        one = _Group(patterns, None if frozen else own, float(rate), text)
        return Groups(self._optimizer, (*self._groups, one))

    def with_settings(self, **settings: Any) -> Configured:
        """Groups keep their settings: this is an error.

        Raises:
            AutographError: always.

        >>> from autograph.optim import SGD
        >>> SGD().group("*.bias", rate=2.0).with_settings(momentum=0.9)
        Traceback (most recent call last):
        ...
        autograph.errors.AutographError: an optimizer with groups keeps its settings; give others before the groups
        """
        raise AutographError("an optimizer with groups keeps its settings; give others before the groups")

    def update(self, parameter: Parameter, gradient: Tensor, learning_rate: float) -> None:
        """A parameter without a name belongs to no group: this is an error.

        Raises:
            AutographError: always.

        >>> from autograph import Parameter, Tensor
        >>> from autograph.optim import SGD
        >>> SGD().group("*.bias", rate=2.0).update(Parameter(Tensor.ones(1)), Tensor.ones(1), 0.1)
        Traceback (most recent call last):
        ...
        autograph.errors.AutographError: groups need the parameters' names: model.update(learning_rate, optimizer)
        """
        raise AutographError("groups need the parameters' names: model.update(learning_rate, optimizer)")

    def update_all(
        self,
        parameters: Mapping[str, Parameter],
        learning_rate: float,
        *,
        scale: float = 1.0,
        factor: Tensor | None = None,
    ) -> None:
        """Changes all parameters that have a gradient, each as its group says.

        Args:
            parameters: by name.
            learning_rate: a number, or a parameter of the graph that is being captured.
            scale: times the learning rate.
            factor: as in :meth:`Configured.update_all`.

        Raises:
            AutographError: a pattern matches none of the names.
            DtypeError, ShapeError, LaunchError: as by :meth:`Configured.update_all`.

        >>> from autograph import Dense
        >>> from autograph.optim import SGD
        >>> SGD().group("biass", rate=2.0).update_all(dict(Dense(2, 1, bias=True).named_parameters()), 0.1)
        Traceback (most recent call last):
        ...
        autograph.errors.AutographError: group('biass'): matches none of weight, bias
        """
        parameters_of(parameters)
        rest, parts = dict(parameters), []
        for group in self._groups:
            for pattern in group.patterns:
                if not any(fnmatchcase(name, pattern) for name in parameters):
                    raise AutographError(f"group({pattern!r}): matches none of {_listed(list(parameters))}")
            chosen = [name for name in rest if any(fnmatchcase(name, pattern) for pattern in group.patterns)]
            parts.append((group.optimizer, group.rate, {name: rest.pop(name) for name in chosen}))
        parts.append((self._optimizer, 1.0, rest))
        for optimizer, rate, some in parts:
            if optimizer is not None:
                optimizer.update_all(some, learning_rate, scale=scale * rate, factor=factor)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def parameters_of(parameters: Any) -> dict[str, Parameter]:
    """Parameters by name.

    Raises:
        DtypeError: they are something else.
    """
    if not isinstance(parameters, Mapping) or not all(isinstance(one, Parameter) for one in parameters.values()):
        raise DtypeError("expected a dict of parameters by name, as dict(model.named_parameters()) is")
    return dict(parameters)
