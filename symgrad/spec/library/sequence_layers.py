"""Layers of sequences: what stands for labels, and for their places."""

from symgrad.spec.library.layer_entries import Layer, LayerDemand, LayerForm, LayerParameter, is_given

TABLE = LayerParameter("W", ("classes", "units"), "init")
NO_LABEL = "the padding {padding} is none of the labels below {classes}"
EVEN = LayerDemand(
    "size(x, -1) % 2 == 0", "half of {size(x, -1)} features are needed", "expected an even number of features"
)


SEQUENCE_LAYERS = (
    Layer(
        "embedding(x, units, padding=false, init=normal(std=1))",
        "a row of the table W for each label; Bengio et al. 2003",
        "x holds labels, of any axes; padding is a label whose row is 0 and stays so",
        takes_labels=True,
        unnamed=2,
        x_says="how many labels there are",
        formula="onehot(x) @ W",
        parameters=(TABLE,),
        forms=(
            (
                is_given("padding"),
                LayerForm(
                    parts=(("M[k, d:units]", "where(k == padding, 0, W[k, d])"),),
                    formula="onehot(x) @ M",
                    parameters=(TABLE,),
                    demands=(
                        LayerDemand("padding < classes", NO_LABEL, "expected one of them"),
                        LayerDemand("padding >= 0", NO_LABEL, "expected one of them"),
                    ),
                ),
            ),
        ),
    ),
    Layer(
        "positional(x, init=normal(std=0.02))",
        "Gehring et al. 2017",
        "x is [..., places, features]; what each place adds is learned",
        takes=("...", "places", "features"),
        usual=(("init", "(-1, 1)", "how many places there are, its input says"),),
        formula="x + P",
        parameters=(LayerParameter("P", ("size(x, -2)", "size(x, -1)"), "init"),),
    ),
    Layer(
        "sinusoidal(x, base=10000)",
        "Vaswani et al. 2017",
        "x is [batch, places, features]; waves of each place, sines in even features and cosines in odd ones",
        takes=("batch", "places", "features"),
        parts=(
            (
                "waves[i:size(x, 1), k:size(x, 2)//2, s:2]",
                "where(s == 0, sin(i / base**(2*k / size(x, 2))), cos(i / base**(2*k / size(x, 2))))",
            ),
            ("P", "flatten(waves)"),
        ),
        formula="x + P",
        demands=(EVEN,),
        ranges=(("base", "(0, inf)"),),
    ),
    Layer(
        "rotary(x, base=10000)",
        "Su et al. 2021",
        "x is [batch, places, heads, features]; feature d turns with feature d + features//2, by the place",
        takes=("batch", "places", "heads", "features"),
        parts=(
            ("angle[i:size(x, 1), k:size(x, 3)//2]", "i / base**(2*k / size(x, 3))"),
            ("C", "cos(angle)"),
            ("S", "sin(angle)"),
            ("A[n, i, h, k:size(x, 3)//2]", "x[n,i,h,k] * C[i,k] - x[n,i,h,k + size(x, 3)//2] * S[i,k]"),
            ("B[n, i, h, k:size(x, 3)//2]", "x[n,i,h,k + size(x, 3)//2] * C[i,k] + x[n,i,h,k] * S[i,k]"),
        ),
        formula="concat(A, B, axis=-1)",
        demands=(EVEN,),
        ranges=(("base", "(0, inf)"),),
    ),
)
