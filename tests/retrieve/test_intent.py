"""Which requests want the vault, and which bring their own text along."""

from __future__ import annotations

import pytest

from vaultbridge.core.dialogue import Continuation, Conversation, Message
from vaultbridge.retrieve.intent import Intent, names_the_vault, read_intent

TEXT = (
    "The hive stands behind the shed, and in the morning the sun reaches it first. In spring we move it a little "
    "further to the south, where the clover grows."
)
CHINESE = "蜂箱放在棚子后面，早晨阳光最先照到那里。春天我们把它往南边挪一点，那里长着三叶草。"
TEXT_GENERATOR = "Title: Bees\n\t\nStarred Blocks: \n\t  \n"


def intent(text: str) -> Intent:
    return read_intent(Conversation((Message("system", ("Be kind.",)), Message("user", (text,)))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Text Generator
        (f'Generate a title for the current document (do not use * " \\ / < > : | ? .):\n{TEXT[:255]}', "title"),
        ('Generate a title for the current document (do not use * " \\ / < > : | ? .):\n\t\t\t\tBees\n', "title"),
        ("continue the follwing text:\nAt night the bees", "suggestion"),
        ("Continue the following text:\nTitle: Bees\nAt night the bees", "suggestion"),
        (f"{TEXT_GENERATOR}Summarize the following text:\n\n{TEXT}", "rewriting"),
        # Local GPT: the instruction, an empty line, the selection
        (f"Make a concise summary of the key points of the following text.\n\n{TEXT}", "rewriting"),
        (f"Proofread the below for spelling and grammar.\n\n{TEXT}", "rewriting"),
        (
            "Act as a professional editor with many years of experience as a writer. Carefully finalize the following "
            f"text, add details, use facts.\n\n{TEXT}",
            "rewriting",
        ),
        (
            "Act as an assistant helping find action items inside a document. An action item is a task. "
            f'Use checkboxes: each line starts with "- [ ] "\n\n{TEXT}',
            "rewriting",
        ),
        # Copilot: tags, or a placeholder and the text behind its name
        (f"<instruction>Fix the grammar of the text below.</instruction>\n\n<text>{TEXT}</text>", "rewriting"),
        (f"Shorten this.\n\n<selectedText>{TEXT}</selectedText>", "rewriting"),
        (
            "Translate {selectedText} into Chinese:\n    1. Preserve the meaning and tone\n    Return only the "
            f"translated text.\n\nselectedText:\n\n{TEXT}",
            "rewriting",
        ),
        (f"Create a bullet-point summary of {{selectedText}}. Return only it.\n\nselectedText:\n\n{TEXT}", "rewriting"),
        # People
        (f"Please translate this paragraph to German: {TEXT}", "rewriting"),
        (f"{TEXT}\n\nTranslate the text above into French.", "rewriting"),
        (f"Fix this code:\n\n```py\n{TEXT}\n```", "rewriting"),
        (f"Summarize the following notes:\n\n{TEXT}", "rewriting"),
        (f"Suggest a short title for the following text:\n\n{TEXT}", "title"),
        (f"请将以下内容翻译成英文：\n\n{CHINESE}", "rewriting"),
        (f"请修正以下文本的拼写和语法错误，保持原意：\n\n{CHINESE}", "rewriting"),
        (f"总结下面这段话：{CHINESE}", "rewriting"),
        (f"{CHINESE}\n\n请润色上面的文字", "rewriting"),
        (f"请为以下内容生成一个标题：\n{CHINESE}", "title"),
        ("Make this friendlier: your request was denied because it came late.", "rewriting"),
        ("Translate into French:\n\nWhere is the nearest pharmacy?", "rewriting"),
        ("How do you say 'good luck' in Polish?", "rewriting"),
        ("把这句话改得客气一点：明天下午三点以前把报告交上来。", "rewriting"),
        ("“再见”用法语怎么说？", "rewriting"),
        # What clients ask for on their own
        ("Generate a concise title of 3 to 5 words for this conversation.\n\nUSER: where do bees sleep", "title"),
        ("### Task:\nSuggest 3 follow-ups to ask next.\n### Chat History:\nUSER: where do bees sleep", "title"),
        ("根据下面的对话，推荐两个接着问的问题：\n用户：蜜蜂睡在哪里？", "title"),
        # Talk
        ("Hello!", "talk"),
        ("Good evening everyone", "talk"),
        ("ok great, thank you", "talk"),
        ("Thank you, that was it.", "talk"),
        ("who are you?", "talk"),
        ("tell me another joke", "talk"),
        ("您好", "talk"),
        ("谢谢，明白了", "talk"),
        ("你是谁？", "talk"),
        # The cursor stands in code
        (f"{TEXT}\n\n```python\ndef hive(", "code"),
        ("> ~~~\n> let a = 1", "code"),
    ],
)
def test_what_brings_its_text_along_wants_no_vault(text: str, expected: Intent) -> None:
    assert intent(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Where do bees sleep?",
        "Summarize my notes on bees",
        "Summarize what I know about bees in winter",
        f"Summarize my notes on the following:\n\n{TEXT}",
        f"Rewrite the following text with my other notes in mind:\n\n{TEXT}",
        f"Rewrite the following text using the notes about hives:\n\n{TEXT}",
        f"Improve the following text with what [[Hives]] says:\n\n{TEXT}",
        "Summarize the following: bees",
        "Translate: hive",
        f"Explain the following text:\n\n{TEXT}",
        f"What does the following mean for the garden?\n\n{TEXT}",
        f"{TEXT}\n\nWhat do the bees eat in winter?",
        f"Summarize the following text:\n\n{TEXT}\n\nWhat do the bees eat in winter?",
        f"I had to summarize the text below for the club.\n\n{TEXT}",
        f"{TEXT}\n\nSummarize what the others said of this.",
        f"{TEXT_GENERATOR}{TEXT}\n\nWhat do the bees eat in winter?",
        "总结我的笔记中关于蜜蜂的内容",
        f"根据我的笔记改写以下内容：\n{CHINESE}",
        "红烧肉要炖多久？",
        "请总结以下笔记：蜜蜂",
        f"{CHINESE}\n\n冬天蜜蜂吃什么？",
        "How do I generate a title for the current document?",
        "Hi there, where do bees sleep?",
        "Thanks! And what do they eat in winter?",
        "hello, can you find the note on hives",
        "Great Expectations: who wrote my copy's preface?",
        "Title: Letter\n\nHello",
        "你好，蜜蜂冬天吃什么？",
        "Suggest a title for my talk on bees",
        "Which follow-ups did the conversation with Marta bring?",
        "How is this closed?\n\n```py\nfoo()\n```\n",
        "",
    ],
)
def test_what_the_vault_could_answer_is_a_question(text: str) -> None:
    assert intent(text) == "question"


@pytest.mark.parametrize(
    "text", ["What do my notes say about bees?", "anything in our old notes on bees", "我的笔记里有没有蜜蜂"]
)
def test_who_asks_the_notes_says_so(text: str) -> None:
    assert names_the_vault(text)


@pytest.mark.parametrize("text", ["Where do bees sleep?", "How do I take notes?", "蜜蜂睡在哪里？"])
def test_who_does_not_say_so_does_not(text: str) -> None:
    assert not names_the_vault(text)


def test_a_text_to_be_continued_is_read_as_a_message_is() -> None:
    assert read_intent(Continuation("At night the bees")) == "question"
    assert read_intent(Continuation("```js\nlet a")) == "code"


def test_only_the_newest_message_counts() -> None:
    asked = (f"Summarize the following text:\n\n{TEXT}", "Where do bees sleep?")
    first, second = (Message("user", (text,)) for text in asked)
    said = Message("assistant", ("Yes.",))
    assert read_intent(Conversation((first, said, second))) == "question"
    assert read_intent(Conversation((second, said, first))) == "rewriting"
