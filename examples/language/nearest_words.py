"""For each word the two whose vectors point most nearly where its own does: nearest_words.py RUN."""

import sys
from pathlib import Path

import numpy as np
from draw_sentences import KINDS

import symgrad as sg

run = Path(sys.argv[1])
learnt = sg.load_checkpoint(run / "checkpoint.npz", sg.load(run / "word_vectors.py"))
words = learnt.preparation.inputs["word"].classes
kinds = {word: kind for kind, of_kind in KINDS.items() for word in of_kind.split()}
vectors = learnt.params.vector_W / np.linalg.norm(learnt.params.vector_W, axis=1, keepdims=True)
orders = np.argsort(-vectors @ vectors.T)  # the first is the word itself
nearest = {word: [words[n] for n in order[1:3]] for word, order in zip(words, orders, strict=True)}
for word in words:
    print(f"{word}: {', '.join(nearest[word])}")
right = [kinds[word] == kinds[near] for word in words for near in nearest[word]]
print(f"{np.mean(right):.0%} of them are of its kind")
