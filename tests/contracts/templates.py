"""Small chat templates after the published formats."""

from __future__ import annotations

from vaultbridge.backends.gemma_template import GEMMA, GEMMA4

# Gemma 1 and 2 refuse a system turn; the own one, for files without any, does the same.
GEMMA1 = GEMMA2 = GEMMA

# 3 and 3n write it in front of the first question, and refuse two turns of one role; they know no tools.
GEMMA3 = (
    "{{ bos_token }}{% set system = messages[0].role == 'system' %}"
    "{% for m in (messages[1:] if system else messages) %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ messages[0].content + '\n\n' if system and loop.first }}"
    "{% if m.content is string %}{{ m.content | trim }}{% endif %}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
GEMMA3N = GEMMA3
GEMMAS = {"gemma": GEMMA1, "gemma2": GEMMA2, "gemma3": GEMMA3, "gemma3n": GEMMA3N, "gemma4": GEMMA4}

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
