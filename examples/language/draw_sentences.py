"""Sentences of a small grammar, after Elman (1990), as pairs of words that stand in one: `words.csv`."""

from itertools import permutations
from pathlib import Path

import numpy as np

SENTENCES = 3000
KINDS = {
    "people": "man woman boy girl",
    "animals": "cat dog mouse lion",
    "food": "bread cookie sandwich apple",
    "dishes": "glass plate vase cup",
    "eat": "eats tastes devours",
    "see": "sees smells likes",
    "break": "breaks smashes drops",
    "sleep": "sleeps thinks waits",
}
GRAMMAR = """people eat food, people see people, people see animals, people see dishes, people break dishes,
people sleep, animals eat food, animals see people, animals see animals, animals sleep, animals eat animals"""

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    forms = [form.split() for form in GRAMMAR.split(",")]
    chosen = [forms[number] for number in rng.integers(len(forms), size=SENTENCES)]
    sentences = [[str(rng.choice(KINDS[kind].split())) for kind in form] for form in chosen]
    pairs = [pair for sentence in sentences for pair in permutations(sentence, 2)]
    path = Path(__file__).with_name("words.csv")
    path.write_text("word,near\n" + "".join(f"{word},{near}\n" for word, near in pairs), encoding="utf-8")
    print(f"wrote {path.name} ({len(pairs):,} pairs of words)")
