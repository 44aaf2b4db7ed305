"""How far two embedders agree on the same texts, in several languages and lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vaultbridge.backends.onnx_folder import Agreement
from vaultbridge.core.search import Embedding, Vector

_SENTENCES = (
    "x",
    "Water the tomatoes early in the morning, before the sun is high.",
    "Which tasks are due before the end of the month?",
    "def mean(values): return sum(values) / len(values)",
    "Meeting notes, 2024-03-05: the budget was approved; Anna writes to the architect; next date in two weeks.",
    "Die Steuererklärung liegt im zweiten Ordner, die Belege dazu im Umschlag dahinter.",
    "Le train de nuit part à vingt-deux heures et arrive au bord de la mer à l'aube.",
    "La receta pide tres huevos, harina, un poco de sal y paciencia.",
    "Книга о грибах стоит на верхней полке, рядом с картами.",
    "给花园浇水最好在清晨，傍晚也可以，但叶子不要湿着过夜。",
    "会議は午後三時から、資料は前日までに共有してください。",
    "약은 식사 후 하루 두 번, 아침과 저녁에 먹는다.",
    "موعد الطبيب يوم الأحد في الساعة العاشرة صباحا.",
    "पानी की टंकी हर महीने साफ करनी चाहिए।",
    "| plant | water | light |\n|---|---|---|\n| fern | often | shade |\n| cactus | seldom | sun |",
)
TEXTS = (*_SENTENCES, " ".join(_SENTENCES), "\n\n".join(_SENTENCES[::-1]))
"""The last two are all of it, several hundred tokens long."""


def agreement(ours: Sequence[Embedding], reference: Sequence[Embedding]) -> Agreement:
    """Compare embeddings of the same texts by what a search makes of them: the scores of all pairs, by each head."""
    cosines = np.vecdot(_dense(ours), _dense(reference))
    differences = [np.abs(mine - theirs).max() for mine, theirs in zip(_scores(ours), _scores(reference), strict=True)]
    return Agreement(float(cosines.min()), float(max(differences)))


def _scores(embeddings: Sequence[Embedding]) -> list[Vector]:
    """``(texts, texts)`` for each head."""
    scores = [_dense(embeddings) @ _dense(embeddings).T]
    weights = [embedding.sparse for embedding in embeddings if embedding.sparse is not None]
    if weights:
        scores.append(np.array([[_product(one, other) for other in weights] for one in weights], np.float32))
    multis = [embedding.multi for embedding in embeddings if embedding.multi is not None]
    if multis:
        scores.append(np.array([[_max_sim(one, other) for other in multis] for one in multis], np.float32))
    return scores


def _dense(embeddings: Sequence[Embedding]) -> Vector:
    return np.stack([embedding.dense for embedding in embeddings])


def _product(one: Mapping[int, float], other: Mapping[int, float]) -> float:
    return sum(weight * other.get(token, 0.0) for token, weight in one.items())


def _max_sim(question: Vector, passage: Vector) -> float:
    return float((question @ passage.T).max(axis=1).mean())
