"""Small chat templates after the published formats of three families."""

from __future__ import annotations

# Refuses a system turn and two turns of one role; knows no tools.
GEMMA3 = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)

# Calls and results stand in one model turn; texts in them between quotes of their own, keys bare.
GEMMA4 = r"""
{%- macro value(v) -%}
{%- if v is string -%}<|"|>{{ v }}<|"|>
{%- elif v is boolean -%}{{ 'true' if v else 'false' }}
{%- elif v is mapping -%}
{ {%- for k, w in v | dictsort %}{{ k }}:{{ value(w) }}{% if not loop.last %},{% endif %}{% endfor -%} }
{%- elif v is sequence -%}[{% for w in v %}{{ value(w) }}{% if not loop.last %},{% endif %}{% endfor %}]
{%- else -%}{{ v }}
{%- endif -%}
{%- endmacro -%}
{%- set ns = namespace(after='') -%}
{{- bos_token -}}
{%- if tools or messages[0].role == 'system' -%}
<|turn>system\n{{ messages[0].content if messages[0].role == 'system' }}
{%- for tool in tools or [] -%}
<|tool>declaration:{{ tool.function.name }}{description:<|"|>{{ tool.function.description }}<|"|>
{%- for key, p in tool.function.parameters.properties | dictsort -%}
,{{ key }}:{type:<|"|>{{ p.type | upper }}<|"|>}
{%- endfor -%} }<tool|>
{%- endfor -%}
<turn|>\n
{%- endif -%}
{%- for m in messages if m.role != 'system' -%}
{%- if ns.after != 'result' -%}<|turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{%- endif -%}
{%- set ns.after = '' -%}
{%- if m.tool_calls and m.reasoning_content -%}<|channel>thought\n{{ m.reasoning_content }}<channel|>{%- endif -%}
{%- for c in m.tool_calls or [] -%}
<|tool_call>call:{{ c.function.name }}{{ value(c.function.arguments) }}<tool_call|>
{%- endfor -%}
{%- for r in m.tool_responses or [] -%}
{%- set ns.after = 'result' -%}
<|tool_response>response:{{ r.name }}
{{- value(r.response if r.response is mapping else {'value': r.response}) -}}
<tool_response|>
{%- endfor -%}
{{- m.content -}}
{%- if not (m.tool_responses and not m.content) -%}<turn|>\n{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt and ns.after != 'result' -%}<|turn>model\n{%- endif -%}
{%- if add_generation_prompt and not enable_thinking -%}<|channel>thought\n<channel|>{%- endif -%}
""".replace("\n", "").replace("\\n", "{{ '\\n' }}")

# Tools as JSON in the system turn, calls and results between tags; the answer may begin inside of a thought.
HERMES = (
    "{% if tools %}<|im_start|>system\n<tools>{% for t in tools %}{{ t | tojson }}\n{% endfor %}</tools>"
    "Call with <tool_call></tool_call>.<|im_end|>\n{% endif %}"
    "{% for m in messages %}"
    "{% if m.role == 'tool' %}<|im_start|>user\n<tool_response>{{ m.content }}</tool_response><|im_end|>\n"
    "{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<tool_call>"
    '{"name": {{ c.function.name | tojson }}, "arguments": {{ c.function.arguments | tojson }}}</tool_call>{% endfor %}'
    "<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking %}<think>\n{% endif %}{% endif %}"
    "{# a thought ends with </think> #}"
)

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
