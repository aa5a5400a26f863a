"""Words drawn by tags that follow each other by chance: `tags.npz`; how many tags a run finds: tags.py [RUN]

What follows a tag, and which word it draws, has known chances, as of a hidden Markov chain. So the most tags
that can be found, from all words of a sentence, are known too.
"""

import sys
from pathlib import Path

import numpy as np

import symgrad as sg

SENTENCES, LENGTH, TAGS, WORDS = 4000, 20, 5, 30
FILE = Path(__file__).with_name("tags.npz")

rng = np.random.default_rng(0)
follows = rng.dirichlet(np.full(TAGS, 0.2), TAGS)
draws = rng.dirichlet(np.full(WORDS, 0.3), TAGS)


def chosen(chances):
    """One number by each row of chances."""
    return (np.cumsum(chances, -1) < rng.uniform(size=(*chances.shape[:-1], 1))).sum(-1)


def drawn(sentences):
    """Words and tags, both [sentence, place]."""
    tags = np.empty((sentences, LENGTH), int)
    tags[:, 0] = rng.integers(TAGS, size=sentences)
    for place in range(1, LENGTH):
        tags[:, place] = chosen(follows[tags[:, place - 1]])
    return chosen(draws[tags]), tags


def chances_of_tags(words):
    """What the chain that drew the words gives each tag of every place: Baum et al. 1970."""
    own = draws.T[words]
    ahead, back = own.copy(), np.ones_like(own)
    for place in range(1, LENGTH):
        ahead[:, place] *= ahead[:, place - 1] @ follows
        back[:, -place - 1] = (own[:, -place] * back[:, -place]) @ follows.T
    return ahead * back


def compared(run, word, tag):
    """The share of right tags in new sentences: from each word alone, by the run, by the chain itself."""
    counts = np.zeros((WORDS, TAGS))
    np.add.at(counts, (word, tag), 1)
    word, tag = drawn(SENTENCES)
    model = sg.load_checkpoint(run / "checkpoint.npz", sg.load(run / "tagging.py"))
    found = {
        "each word alone": counts[word],
        "the run": model.predict(word),
        "the chain": chances_of_tags(word),
    }
    return {name: np.mean(chances.argmax(-1) == tag) for name, chances in found.items()}


if __name__ == "__main__":
    word, tag = drawn(SENTENCES)
    if len(sys.argv) > 1:
        for name, share in compared(Path(sys.argv[1]), word, tag).items():
            print(f"{name}: {share:.2%} of tags are right")
    else:
        np.savez_compressed(FILE, word=word.astype(np.uint8), tag=tag.astype(np.uint8))
        print(f"wrote {FILE.name} ({SENTENCES:,} sentences)")
