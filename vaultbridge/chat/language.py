"""The language of a question, and the fixed phrases of an answer in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """What the house itself says. ``{n}`` style fields are filled where they are used."""

    instructions: str
    example: str
    opening: str
    closing: str
    sources: str
    extract: str
    nothing: str
    closest: str
    indexed: str
    fetch: str


ENGLISH = Phrases(
    instructions=(
        "You answer questions from the user's own notes. Every note has a number in brackets. Say only what the notes "
        "say, and put a note's number, like [1], behind what you take from it. If the notes do not hold the answer, "
        "say so. Answer in the language of the question."
    ),
    example=(
        "Notes:\n\nHill bakery\nThe bakery on the hill opens at seven. It belongs to Anna and sells rye bread.\n\n"
        "Question: When does the bakery on the hill open?\n\nAnswer: It opens at seven.\n\n"
        "Notes:\n\nHill bakery\nThe bakery on the hill opens at seven. It belongs to Anna and sells rye bread.\n\n"
        "Question: How far is the station?\n\nAnswer: The notes do not say."
    ),
    opening="Notes:",
    closing="Answer from these notes:",
    sources="Sources: ",
    extract="Your notes say:",
    nothing="Nothing in your notes speaks of this.",
    closest="The closest are: ",
    indexed="So far {done} of {all} passages are indexed.",
    fetch="(No model is loaded, so these are passages, not an answer. To get answers: `{command}`)",
)
CHINESE = Phrases(
    instructions=(
        "你根据用户自己的笔记回答问题。每条笔记都有方括号中的编号。只说笔记里有的内容，"
        "并在引用处标上编号，例如 [1]。如果笔记里没有答案，就直接说明。请用中文回答。"
    ),
    example=(
        "笔记：\n\n山坡面包店\n山坡上的面包店七点开门。店主是安娜，卖黑麦面包。\n\n"
        "Question: 山坡上的面包店几点开门？\n\nAnswer: 七点开门。\n\n"
        "笔记：\n\n山坡面包店\n山坡上的面包店七点开门。店主是安娜，卖黑麦面包。\n\n"
        "Question: 车站有多远？\n\nAnswer: 笔记中没有提到。"
    ),
    opening="笔记：",
    closing="请根据以上笔记用中文回答：",
    sources="来源：",
    extract="你的笔记中写道：",
    nothing="你的笔记中没有相关内容。",
    closest="最接近的是：",
    indexed="目前已索引 {done}/{all} 段内容。",
    fetch="（尚未加载模型，以上是原文摘录而不是回答。获取模型：`{command}`）",
)
JAPANESE = Phrases(
    instructions=(
        "あなたはユーザー自身のノートに基づいて質問に答えます。各ノートには角括弧の番号があります。"
        "ノートに書かれていることだけを述べ、引用した箇所の後に [1] のように番号を付けてください。"
        "ノートに答えがなければ、そう伝えてください。日本語で答えてください。"
    ),
    example=(
        "ノート：\n\n丘のパン屋\n丘の上のパン屋は七時に開く。店主はアンナで、ライ麦パンを売っている。\n\n"
        "Question: 丘の上のパン屋は何時に開きますか。\n\nAnswer: 七時に開きます。\n\n"
        "ノート：\n\n丘のパン屋\n丘の上のパン屋は七時に開く。店主はアンナで、ライ麦パンを売っている。\n\n"
        "Question: 駅までどのくらいですか。\n\nAnswer: ノートには書かれていません。"
    ),
    opening="ノート：",
    closing="以上のノートに基づいて日本語で答えてください：",
    sources="出典：",
    extract="ノートにはこう書かれています：",
    nothing="ノートに該当する内容はありません。",
    closest="最も近いもの：",
    indexed="現在 {all} 件中 {done} 件の段落が索引済みです。",
    fetch="（モデルが読み込まれていないため、回答ではなく抜粋です。モデルの取得：`{command}`）",
)
KOREAN = Phrases(
    instructions=(
        "당신은 사용자의 노트를 바탕으로 질문에 답합니다. 각 노트에는 대괄호 번호가 있습니다. 노트에 있는 내용만 "
        "말하고, 인용한 부분 뒤에 [1]처럼 번호를 붙이세요. 노트에 답이 없으면 그렇다고 말하세요. 한국어로 답하세요."
    ),
    example=(
        "노트:\n\n언덕 빵집\n언덕 위의 빵집은 일곱 시에 문을 연다. 주인은 안나이고 호밀빵을 판다.\n\n"
        "Question: 언덕 위의 빵집은 몇 시에 문을 여나요?\n\nAnswer: 일곱 시에 문을 엽니다.\n\n"
        "노트:\n\n언덕 빵집\n언덕 위의 빵집은 일곱 시에 문을 연다. 주인은 안나이고 호밀빵을 판다.\n\n"
        "Question: 역은 얼마나 먼가요?\n\nAnswer: 노트에 나와 있지 않습니다."
    ),
    opening="노트:",
    closing="위 노트를 바탕으로 한국어로 답하세요:",
    sources="출처: ",
    extract="노트에는 이렇게 적혀 있습니다:",
    nothing="노트에 관련 내용이 없습니다.",
    closest="가장 가까운 노트: ",
    indexed="지금까지 {all}개 중 {done}개 단락이 색인되었습니다.",
    fetch="(모델이 없어 답변이 아닌 발췌입니다. 모델 받기: `{command}`)",
)

LANGUAGES = (ENGLISH, CHINESE, JAPANESE, KOREAN)


def phrases(text: str) -> Phrases:
    """The phrases in the language of ``text``, told by its script; English for every other one."""
    kana = sum("\u3040" <= character <= "\u30ff" for character in text)
    hangul = sum("\uac00" <= character <= "\ud7a3" for character in text)
    han = sum("\u4e00" <= character <= "\u9fff" for character in text)
    letters = sum(character.isalpha() for character in text)
    # A Chinese character carries about as much as a short word: a third of the letters decides.
    if not letters or (kana + hangul + han) * 3 < letters:
        return ENGLISH
    if kana * 8 > han:
        return JAPANESE
    return KOREAN if hangul > han else CHINESE
