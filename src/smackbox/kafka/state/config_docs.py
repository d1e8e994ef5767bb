"""What each configuration does on this broker: a sentence for each one that has an effect, in `config_docs.tsv`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from smackbox.kafka.state.topic_config import KEYS

WITHOUT_EFFECT = "Shown as Kafka shows it; it changes nothing on this broker."


def documentation(name: str) -> str:
    """The documentation of a topic's, group's or broker's configuration."""
    return _sentences().get(name, WITHOUT_EFFECT)


@cache
def _sentences() -> dict[str, str]:
    lines = (files("smackbox.kafka.state") / "config_docs.tsv").read_text(encoding="utf-8").splitlines()
    sentences: dict[str, str] = {}
    for line in lines:
        name, sentence = line.split("\t")
        sentences[name] = sentence
    for key in KEYS.values():
        if key.broker_key is not None and key.name in sentences:
            sentences.setdefault(key.broker_key, f"For topics that do not say: {sentences[key.name]}")
    return sentences
