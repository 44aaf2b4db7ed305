"""Gemma's formats, for files of instruction-tuned Gemmas that carry no chat template, as early conversions do.

After Google's documentation: Gemma 1 to 3n know users and models alone, so that what the system says stands in front
of the first question; Gemma 4 has a system turn, tools, and a channel for thoughts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TUNED = re.compile(r"(?i)(?<![a-z])(it|instruct)(?![a-z])")

GEMMA = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else 'user' }}\n{{ m.content | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)

# One model turn goes on through calls and their results, up to the answer. Line breaks are written \n.
GEMMA4 = r"""
{%- macro value(v) -%}
{%- if v is string -%}<|"|>{{ v }}<|"|>
{%- elif v is boolean -%}{{ 'true' if v else 'false' }}
{%- elif v is mapping -%}{{ '{' }}
{%- for k, w in v | dictsort %}{{ k }}:{{ value(w) }}{{ ',' if not loop.last }}{% endfor %}}
{%- elif v is sequence -%}[{% for w in v %}{{ value(w) }}{{ ',' if not loop.last }}{% endfor %}]
{%- else -%}{{ v }}
{%- endif -%}
{%- endmacro -%}
{%- macro inside(s) -%}
{%- if s.enum -%}enum:{{ value(s.enum) }},{%- endif -%}
{%- if s['items'] is mapping -%}items:{{ '{' }}{{ inside(s['items']) }}},{%- endif -%}
{%- if s.properties -%}properties:{{ '{' }}
{%- for name, p in s.properties | dictsort -%}
{{ name }}:{{ '{' }}{% if p.description %}description:{{ value(p.description) }},{% endif %}
{%- if p.nullable %}nullable:true,{% endif %}{{ inside(p) }}}{{ ',' if not loop.last }}
{%- endfor -%}
},{%- endif -%}
{%- if s.required -%}required:{{ value(s.required) }},{%- endif -%}
type:{{ value((s.type if s.type is string else (s.type or ['object'])[0]) | upper) }}
{%- endmacro -%}
{%- set ns = namespace(open=false, asked=-1) -%}
{%- for m in messages if m.role == 'user' -%}{%- set ns.asked = loop.index -%}{%- endfor -%}
{{- bos_token -}}
{%- set system = messages[0].role == 'system' -%}
{%- if tools or enable_thinking or system -%}
<|turn>system\n{% if enable_thinking %}<|think|>\n{% endif %}{{ messages[0].content | trim if system }}
{%- for tool in tools or [] -%}
{%- set f = tool.function -%}
<|tool>declaration:{{ f.name }}{{ '{' }}description:{{ value(f.description) }}
{%- if f.parameters %},parameters:{{ '{' }}{{ inside(f.parameters) }}}{% endif %}}<tool|>
{%- endfor -%}
<turn|>\n
{%- endif -%}
{%- set users = namespace(seen=0) -%}
{%- for m in messages if m.role != 'system' -%}
{%- if m.role == 'user' -%}{%- set users.seen = users.seen + 1 -%}{%- endif -%}
{%- set role = 'model' if m.role == 'assistant' else m.role -%}
{%- if not (ns.open and role == 'model') -%}<|turn>{{ role }}\n{%- endif -%}
{%- set ns.open = false -%}
{%- if m.tool_calls and m.reasoning_content and users.seen == ns.asked -%}
<|channel>thought\n{{ m.reasoning_content }}\n<channel|>
{%- endif -%}
{%- for c in m.tool_calls or [] -%}
<|tool_call>call:{{ c.function.name }}
{{- value(c.function.arguments) if c.function.arguments is mapping else '{' ~ c.function.arguments ~ '}' -}}
<tool_call|>
{%- endfor -%}
{%- for r in m.tool_responses or [] -%}
<|tool_response>response:{{ r.name }}{{ value(r.response if r.response is mapping else {'value': r.response}) -}}
<tool_response|>
{%- endfor -%}
{{- m.content | trim -}}
{%- if m.tool_responses and not m.content -%}{%- set ns.open = true -%}{%- else -%}<turn|>\n{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt and not ns.open -%}
<|turn>model\n{% if not enable_thinking %}<|channel>thought\n<channel|>{% endif %}
{%- endif -%}
""".replace("\n", "").replace("\\n", "{{ '\\n' }}")

_FORMATS = {"gemma": GEMMA, "gemma2": GEMMA, "gemma3": GEMMA, "gemma3n": GEMMA, "gemma4": GEMMA4}


def own_template(architecture: str, names: Iterable[str]) -> str:
    """The chat template of a Gemma that is called instruction-tuned in one of its ``names``; empty for any other."""
    return _FORMATS.get(architecture, "") if any(map(_TUNED.search, names)) else ""
