"""Templates that loop, reach out or grow: one clear error each, soon, and with little memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from vaultbridge.backends.chat_template import ChatTemplate
from vaultbridge.core.dialogue import Conversation, Message
from vaultbridge.core.errors import InvalidRequest, ModelInvalid

HI = Conversation((Message("user", ("Hi",)),))
SECONDS, BYTES = 20.0, 400_000_000
"""A rendering's bounds, with room for what measuring costs."""

ENDLESS = {
    "a long loop": "{% for i in range(10**9) %}x{% endfor %}",
    "loops in loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% set x = 1 %}{% endfor %}{% endfor %}",
    "a macro that calls itself": "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
    "a macro that calls itself twice": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}"
    ),
    "a loop that calls itself": "{% for i in range(99999) recursive %}{{ loop(range(99999)) }}{% endfor %}",
    "a power": "{{ (10 ** 10 ** 8) % 7 }}",
    "numbers that double their digits": (
        "{% set ns = namespace(x=3) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}{{ ns.x % 7 }}"
    ),
    "comparisons of what shares its parts": (
        "{% set ns = namespace(a=[1], b=[1]) %}"
        "{% for i in range(64) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}"
        "{{ ns.a == ns.b }}"
    ),
}
GREAT = {
    "a text many times": "{{ 'a' * 10 ** 10 }}",
    "a list many times": "{{ ([0] * 10 ** 10) | length }}",
    "a text that doubles": (
        "{% set ns = namespace(x='aaaa') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}"
    ),
    "a text that is joined to itself": (
        "{% set ns = namespace(x='aaaa') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}"
    ),
    "a block that doubles": (
        "{% set ns = namespace(x='aaaa') %}"
        "{% for i in range(99) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}{{ ns.x }}"
    ),
    "a long text, printed often": (
        "{% set x = 'a' * 999999 %}{% macro f() %}{% for i in range(99999) %}{{ x }}{% endfor %}{% endmacro %}{{ f() }}"
    ),
    "a long text, joined": "{{ (['a' * 999999] * 99999) | join }}",
    "a wide column": "{{ 'a'.center(10 ** 10) }}",
    "a wide filter": "{{ 'a' | center(10 ** 10) }}",
    "a deep indent": "{{ 'a\n' | indent(10 ** 10) }}",
    "a wide format": "{{ '%999999999d' % 1 }}",
    "a wide format by number": "{{ '%*d' % (10 ** 9, 1) }}",
    "another wide format": "{{ '{:>999999999}'.format(1) }}",
    "another one by number": "{{ '{:>{w}}'.format(1, w=10 ** 9) }}",
    "replacements": "{{ ('a' * 99999).replace('a', 'a' * 99999) }}",
    "many bytes": "{{ (1).to_bytes(10 ** 10, 'big') }}",
    "what shares its parts": (
        "{% set ns = namespace(x='aaaa') %}{% for i in range(64) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}"
    ),
    "namespaces in each other": (
        "{% set ns = namespace(x=namespace()) %}{% for i in range(64) %}"
        "{% set ns.x = namespace(a=ns.x, b=ns.x) %}{% endfor %}{{ ns.x }}"
    ),
}
OUTWARDS = {
    "a class": "{{ messages.__class__.__mro__[1].__subclasses__() }}",
    "a class by name": "{{ ''['__class__'] }}",
    "a class by filter": "{{ '' | attr('__class__') | string | length + 1 }}",
    "a class by format": "{{ '{0.__class__}'.format('') }}",
    "globals": "{{ raise_exception.__globals__ }}",
    "code": "{{ strftime_now.__code__ }}",
    "an import": "{% import 'os' as os %}{{ os }}",
    "a part of one": "{% from 'os' import system %}",
    "a file": "{% include '/etc/passwd' %}",
    "a parent": "{% extends '/etc/passwd' %}",
    "a change of what it is given": "{% set _ = messages.clear() %}",
}
NO_TEMPLATES = {
    "an open brace": "{{ messages",
    "an unknown tag": "{% boom %}",
    "an unknown filter": "{{ messages | boom }}",
    "a very long one": "a" * 1_000_000,
    "brackets without end": "{{ " + "(" * 50_000 + ")" * 50_000 + " }}",
    "blocks without end": "{% for i in 'a' %}" * 60 + "{% endfor %}" * 60,
}
HOSTILE = ENDLESS | GREAT | OUTWARDS | NO_TEMPLATES


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_template_is_one_error_in_little_time_and_memory(source: str) -> None:
    tracemalloc.start()
    began = time.thread_time()
    try:
        with pytest.raises((ModelInvalid, InvalidRequest), match="template"):
            ChatTemplate(source, "", "").render(HI)
        assert time.thread_time() - began < SECONDS
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("source", OUTWARDS.values(), ids=OUTWARDS)
def test_a_template_that_reaches_out_is_refused_when_it_is_loaded(source: str) -> None:
    with pytest.raises(ModelInvalid, match="cannot be used"):
        ChatTemplate(source, "", "")


def test_a_template_that_is_hostile_only_now_and_then_fails_only_then() -> None:
    template = ChatTemplate("{{ 'a' * 10 ** ((messages | length) * 4) }}{{ messages[-1].content }}", "", "")
    hi, yes = Message("user", ("Hi",)), Message("assistant", ("Yes?",))
    with pytest.raises(InvalidRequest, match="too much"):
        template.render(Conversation((hi, yes, hi)))
    assert "".join(stretch.text for stretch in template.render(HI)).endswith("Hi")


def test_an_honest_template_has_room_for_a_long_conversation() -> None:
    source = "{% for m in messages %}{% set said = m.role ~ ': ' ~ m.content %}{{ said + '\n' }}{% endfor %}"
    turns = tuple(Message("user", (f"{number} " * 500,)) for number in range(3000))
    text = "".join(stretch.text for stretch in ChatTemplate(source, "", "").render(Conversation(turns)))
    assert text.count("user: ") == 3000
    assert text.endswith("2999 \n")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ 'a' ~ 1 ~ none ~ 2.5 }}", "a1None2.5"),
        ("{{ [1, 'a', {'b': (2, 3)}] }}", "[1, 'a', {'b': (2, 3)}]"),
        ("{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }}{{ ',' if not loop.last }}{% endfor %}", "3,7"),
        ("{% for m in messages if m.role == 'user' %}{{ loop.length }}{% else %}none{% endfor %}", "1"),
        ("{% for x in missing %}{{ x }}{% else %}none{% endfor %}", "none"),
        ("{% set a, b = 1, 2 %}{{ '%d-%s' % (a, b) }} {{ '{}/{:>4}'.format(a, b) }}", "1-2 1/   2"),
        ("{% set x %}{{ 'a' }}b{% endset %}{{ x | upper }}{{ [1, 2, 3][1:] | join('+') }}", "AB2+3"),
        ("{% for i in [1, 2, 3, 4] %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}", "12"),
        ("{% generation %}said{% endgeneration %}", "said"),
        ("{{ 2 ** 10 + 7 * 6 - 5 % 3 }}{{ [0] + [1] }}", "1064[0, 1]"),
    ],
)
def test_what_an_honest_template_does_is_done_as_ever(source: str, text: str) -> None:
    template = ChatTemplate(source + "{{ messages[0].content }}", "", "")
    assert "".join(stretch.text for stretch in template.render(HI)) == f"{text}Hi"
