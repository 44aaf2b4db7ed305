"""A sandbox for chat templates, which come with a model's file: nothing leads out of it, and everything in it ends.

jinja2's own sandbox keeps a template away from Python's insides, but lets it run for ever and fill the memory. Here a
rendering has an allowance: a turn of a loop costs one, whatever is made costs what it weighs, and what an operation
could make at the most is known before it runs. So time and memory are bounded alike, by the same number everywhere.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any

from jinja2 import Environment, Template, TemplateError, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

MOST_SOURCE = 1 << 18
"""Characters of a template; published ones have some 17,000."""
ALLOWANCE = 4_000_000
MOST_SECONDS = 10.0
"""Of this thread's own time, which others on this computer do not use up."""
_WIDE = re.compile(r"\d{4}")
_LEADS_OUT = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


class Spent(TemplateError):
    """The allowance is used up."""


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """Templates as the models' own library runs them, with an allowance that ``begin`` renews."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation], finalize=self._printed
        )
        self.filters = {name: self._charged(filter_) for name, filter_ in self.filters.items()}
        self.filters |= {"turns": self._turns, "made": self._made}
        del self.globals["lipsum"]
        self.begin()

    def begin(self) -> None:
        """Renew the allowance."""
        self._left = ALLOWANCE
        self._until = time.thread_time() + MOST_SECONDS

    def load(self, source: str) -> Template:
        """A template. Raises TemplateError, or what else its compiler stumbles over."""
        if len(source) > MOST_SOURCE:
            raise TemplateError(f"it has {len(source)} characters, more than any")
        tree = self.parse(source)
        if any(node for kind in _LEADS_OUT for node in tree.find_all(kind)):
            raise TemplateError("it imports another one")
        return self.from_string(_Charging().visit(tree))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  as jinja2 has it
        """As in jinja2, for its price."""
        self, owner = __self, getattr(__obj, "__self__", None)
        if not isinstance(__obj, (Macro, type)):
            self._guard(owner, *args, *kwargs.values())
        return self._made(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """As in jinja2, for its price."""
        if operator == "%" and isinstance(left, str):
            self._guard(left, *(right if isinstance(right, tuple) else (right,)))
            self._narrow(left)
        elif operator != "+":
            self._guard(left, right)
        return self._made(super().call_binop(context, operator, left, right))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """As in jinja2; a text that asks for wide columns is refused."""
        form = super().wrap_str_format(value)
        if form is None:
            return None

        def bounded(*args: Any, **kwargs: Any) -> str:
            self._guard(value.__self__, *args, *kwargs.values())
            self._narrow(value.__self__)
            return form(*args, **kwargs)

        return bounded

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """What jinja2 lets pass as nothing, as long as nobody looks at it, is an error."""
        raise SecurityError(f"access to {attribute!r} of a {type(obj).__name__} is unsafe")

    def concat(self, parts: Iterable[str]) -> str:
        """Everything that was printed in a block, as one text."""
        return "".join(self._spending(parts))

    def _spending(self, parts: Iterable[str]) -> Iterator[str]:
        for part in parts:
            self._spend(len(part))
            yield part

    def _turns(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            self._spend(1)
            yield value

    def _made(self, value: Any) -> Any:
        """What an operation or a literal gave, paid for."""
        self._spend(_weight(value, self._left))
        return value

    def _printed(self, value: Any) -> Any:
        """A value on its way into the text, which pays for it there."""
        if _size(value) and _weight(value, self._left) > self._left:
            raise Spent("it goes on without end")
        return value

    def _charged(self, filter_: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(filter_)
        def charged(*args: Any, **kwargs: Any) -> Any:
            self._guard(*args, *kwargs.values())
            return self._made(filter_(*args, **kwargs))

        return charged

    def _guard(self, *given: Any) -> None:
        """What can be made of these is no longer than the product of their sizes."""
        if math.prod(map(_size, given)) > ALLOWANCE:
            raise Spent("it asks for far too much")

    def _narrow(self, form: str) -> None:
        if _WIDE.search(form):
            raise Spent("it asks for far too wide a column")

    def _spend(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0 or time.thread_time() > self._until:
            raise Spent("it goes on without end")


class _Charging(NodeTransformer):
    """Sends through filters what jinja2 does without calling anything: loops, literals and joined texts."""

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """The node that takes the place of this one."""
        self.generic_visit(node)
        match node:
            case nodes.For(recursive=True):
                raise TemplateError("it has a loop that calls itself")
            case nodes.For():
                node.iter = _filtered(node.iter, "turns")
            case nodes.Concat():
                return _filtered(nodes.List(node.nodes, lineno=node.lineno), "join")
            case nodes.Tuple(ctx="store"):
                return node
            case nodes.List() | nodes.Dict() | nodes.Tuple():
                return _filtered(node, "made")
        return node


class _Generation(Extension):
    """``{% generation %}`` marks what the assistant says, for training; the text between is the template's."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _size(value: Any) -> int:
    """How long a value is, or how great."""
    if isinstance(value, Namespace):
        raise TemplateError("it hands on a namespace")
    if isinstance(value, (str, bytes, list, tuple, dict)):
        return max(1, len(value))
    return max(1, abs(value)) if isinstance(value, int) else 1


def _weight(value: Any, most: int) -> int:
    """What a value takes when it is written out, at least until that is more than ``most``."""
    weight, rest = 0, [value]
    while rest and weight <= most:
        one = rest.pop()
        if isinstance(one, (str, bytes)):
            weight += len(one)
        elif isinstance(one, Mapping):
            rest += [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple)):
            rest += one
        elif isinstance(one, int):
            weight += one.bit_length() // 8
        weight += 1
    return weight
