"""Faults that no caller can see, and why: each argument covers a kind of place, not one mutant.

An argument alone is not enough: nothing that `differential` calls may show a difference. So the patterns say
where a reason holds, and the calls whether it does. Where an argument says that bits may differ, a test shows
that the bound which is promised instead is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mutation.specs import SPECS

if TYPE_CHECKING:
    from mutation.judging import Outcome

WITHOUT_LABELS = (
    *("single", "binary", "pieces", "ahead", "averages"),
    *("attention", "convolution", "own_optimizer", "scalars"),
    *("heads", "unrolled", "controlled", "in_sections", "further", "recurrent", "stateful"),
)
BINARY = "binary"
"""The one spec that decides between two."""
WITHOUT_PARAMETERS = ("scalars",)
_IN_PIECES = ("pieces", "heads", "in_pieces")
_OF_PARAMETERS = (
    r"_update:|_updated:|_step:|_?train_step:|_check_params:|_check_array:|_lie_in_one_vector:|_writable_vector:|_address:|_owner:"
    r"|flatten:|init_params:|init_state:|update:|_check_state:|_fit:|fit:|_copy_of_state:"
)


@dataclass(frozen=True)
class Argument:
    """Why faults whose titles match change nothing that can be seen, in some specs or in all.

    `rounds` says that answers may differ by rounding, where the module promises no bits but a bound, which is
    kept, or says whether a slope is exactly 0.
    """

    region: str
    pattern: str
    reason: str
    specs: tuple[str, ...] = ()
    rounds: bool = False


ARGUED = (
    Argument(
        "own verify",
        r"_sample:|_normal:|_between:|_random_parameters:",
        "it looks at other random points; any will do where the right module passes and wrong gradients fail",
        rounds=True,
    ),
    Argument(
        "own verify",
        r"_differences:|_check:|_gradients_of:|_worst_of_each:|verify:",
        "differences of another width, order or allowance; it still passes the right module and fails every "
        "planted wrong gradient: one entry 1 % off, of the opposite sign, lost, NaN",
    ),
    Argument(
        "epoch",
        r"_epoch:.*(gathered|constant: 0\.0)|_gather:.*(operator: sign|rows\[0\] \* 0|constant: 0 -> 1)",
        "only whether the sum of what was gathered is finite is asked, not its value",
    ),
    Argument("epoch", r"_gather:.*AHEAD|_gather:.*prefetch", "rows are only asked for earlier or later"),
    Argument(
        "epoch", r"_gather:.*bound: range\(count \* width\)", "labels are always finite", ("embedding",)
    ),
    Argument(
        "epoch", r"_?train_epoch:.*not math\.isfinite\(value\) -> True", "data is looked at once too often"
    ),
    Argument(
        "epoch",
        r"_gather:.*(range\(count \* width\)|count \* width -> |(dropped statement|missing sum): sign)",
        "a NaN that is not seen here makes the loss NaN, and is told then",
    ),
    Argument(
        "epoch", r"_?train_epoch:.*isfinite\(value\) -> False", "labels are always finite", ("embedding",)
    ),
    Argument(
        "epoch",
        r"_?train_epoch:.*(constant: [1-9]\d* -> |array\.size // len\(array\) -> \(array\.size \* )",
        "the memory for rows is larger",
    ),
    Argument("checks", r"_fitting:.*constant: False -> True", "arrays are copied once more than is needed"),
    Argument(
        "checks",
        r"_in_memory:|_arguments:.*_in_memory",
        "vectors are the same by rows and by columns",
        ("embedding",),
    ),
    Argument("public", r"_lie_in_one_vector:.*constant: 0 -> 1", "every array is asked for the same owner"),
    Argument(
        "public", r"loss_and_grad:.*flatten\(params\), grad", "there are no parameters", WITHOUT_PARAMETERS
    ),
    Argument("public", r"_work_size:", "the workspace is larger than is needed"),
    Argument(
        "public",
        r"_kept:.*(setattr|memory is None|memory\.dtype|memory\.size|purpose)",
        "memory is made anew more often than is needed",
    ),
    *(
        Argument(region, r"\w+:\d+ operator: -1 -> 1", "the last axis of a matrix is its axis 1")
        for region in ("public", "files")
    ),
    Argument("checks", r"_checked:.*fitting -> array", "float64 holds every number that is given"),
    Argument("checks", r"_fitting:.*any -> all", "no tensor has two axes of fixed size"),
    Argument("checks", r"_given:\d+ constant: 1 -> 2", "every input has all axes that are free"),
    Argument("checks", r"_given:.*dtype or DTYPE", "both are the same type where no type is given"),
    Argument(
        "checks",
        r"_checked:.*(constant: |fitting|good|CLASSES|IGNORED|in 'iu'|branch)|_fitting:.*(int64|CLASSES)",
        "the branch is for labels, and there are none",
        WITHOUT_LABELS,
    ),
    Argument(
        "checks",
        r"_checked:.*array\.dtype\.kind in|_checked:.*fitting\.(min|max)\(\) .* -> False",
        "the longer way finds what the shorter one does",
    ),
    *(
        Argument(region, _OF_PARAMETERS, "there are no parameters", WITHOUT_PARAMETERS)
        for region in ("checks", "public", "optimiser", "declarations")
    ),
    Argument(
        "optimiser",
        r"_update:\d+ comparison: (.*) (<|>)=? (.*) -> \(\1 \2=? \3\)",
        "both branches give the same at the limit itself",
    ),
    Argument(
        "computation",
        r"\w+:\d+ (constant|offset|operator): (\d+|\d+ [*+] .*|[\w ]*\+ \d+ \* .*|view\(.*) -> ",
        "memory is used again earlier than planned: exactly the same numbers, with garbage in it beforehand",
    ),
    *(
        Argument(
            region,
            r"\w+:\d+ comparison: (.*) (<|>)=? (.*) -> \(\1 \2=? \3\)",
            "both branches give the same at the limit",
        )
        for region in ("computation", "functions")
    ),
    Argument(
        "computation",
        r"\w+:\d+ arguments exchanged: _loss_1\(",
        "the square of a difference is that of its opposite",
    ),
    Argument(
        "functions",
        r"_exp_of_sum:\d+ constant: 1 -> 2",
        "the power of two in two other factors, neither of which is too large or too small for a number",
    ),
    Argument(
        "checks",
        r"_expected:",
        "words of labels, and there are none",
        WITHOUT_LABELS,
    ),
    Argument(
        "functions",
        r"_log_of_bits:\d+ dtype: np\.int64 -> np\.int32",
        "the exponent of a number fits into either",
    ),
    Argument(
        "functions",
        r"EXP_(LEAST|MOST):\d+ constant: (746|104|710|89)\.|ERFC_MOST:\d+ constant: 28\.",
        "where the function is 0, or infinite, on this side of the limit too",
    ),
    Argument(
        "checks", r"_fitting:.*(no entries along|isinstance\()", "no tensor has an axis", WITHOUT_PARAMETERS
    ),
    Argument(
        "checks",
        r"(_checked_order|_own_numbers):.*np\.int64 -> np\.int32",
        "row numbers and labels fit into either",
    ),
    Argument(
        "public",
        r"_with_constants:\d+ .*: start \+= ",
        "there is one block of constants",
        ("ignoring", "further"),
    ),
    Argument("checks", r"\w+:\d+ dropped statement: expected \+= ", "the words of a message are others"),
    *(
        Argument(region, r"\w+:\d+ constant: True -> False", "a check that lengths are equal, and they are")
        for region in ("epoch", "checks", "public", "own verify")
    ),
    Argument(
        "epoch", r"_train_epoch:.*(FULL_BATCH|batch_size <=? most)", "no rule here needs all rows at once"
    ),
    Argument(
        "public",
        r"_gradients_in_work:|input_gradients:|_input_gradients:",
        "nothing is asked for but parameters",
        tuple(name for name in SPECS if name not in ("convolution", "scalars", "unrolled")),
    ),
    Argument(
        "public",
        r"_with_constants:",
        "there are no constants",
        tuple(name for name, spec in SPECS.items() if "constants" not in spec),
    ),
    Argument("checks", r"_checked_but_rows:", "all tensors have rows, and none has labels", WITHOUT_LABELS),
    Argument("public", r"init_params:\d+ constant: \d+ -> ", "the entry is written anew by the next line"),
    Argument("intrinsics", r"_typed_prefetch:", "rows are only asked for earlier or later, or others"),
    Argument(
        "intrinsics", r"_typed_view:\d+ arguments exchanged: builder\.mul\(", "a product is commutative"
    ),
    Argument(
        "intrinsics",
        r"_in_llvm:\d+ constant: ",
        "the arguments of a maximum are of one type; its name may bear it once or twice",
    ),
    Argument(
        "intrinsics",
        r"_typed_view:.*strides|_typed_view:\d+ constant: 0 -> 1",
        "arrays are in C order by their type: compiled code goes by their sizes, not by their strides",
    ),
    Argument(
        "public",
        r"unflatten:\d+ constant: \d+ -> |flatten:\d+ constant: 1 -> 2",
        "a slice ends where its vector ends; any negative size is the one that is to be found",
    ),
    Argument("public", r"flatten:\d+ branch: not params -> False", "there are parameters"),
    Argument(
        "optimiser",
        r"_step:\d+ arguments exchanged: _shares\(state",
        "the rule looks at neither step nor epoch",
        ("attention", "convolution"),
    ),
    Argument(
        "optimiser",
        r"_step:\d+ constant: 0 -> 1",
        "where the gradient is taken does not depend on the step's number",
        ("pieces", "ahead"),
    ),
    Argument("checks", r"_fitting:.*a [!=]= s", "no tensor has an axis of fixed size", ("embedding",)),
    Argument("intrinsics", r"_typed_view:\d+ constant: True -> False", "what is zipped is of equal lengths"),
    Argument(
        "intrinsics", r"_typed_gemm:\d+ branch: kind\.ndim == 1", "no factor is a vector", ("attention",)
    ),
    Argument(
        "public",
        r"_in_memory:",
        "vectors and numbers are the same by rows and by columns, and all tensors have rows",
        ("embedding", "scalars", "classifier"),
    ),
    Argument(
        "public",
        r"_fit:\d+ constant: 1 -> 2",
        "how many rows there are where no axis has rows",
        ("pieces", "ahead"),
    ),
    Argument("declarations", r"BY_COLUMNS:", "vectors are the same by rows and by columns", ("embedding",)),
    Argument(
        "public",
        r"_train_step:\d+ (arguments exchanged: _train_epoch\(|constant: \"full\")",
        "only steps in pieces take this way",
        tuple(name for name in SPECS if name not in _IN_PIECES),
    ),
    Argument(
        "public",
        r"_train_step:\d+ (.*_kept\(|dropped statement: |.*INPUTS \+|branch: .* -> True)",
        "steps are taken in pieces, another way",
        _IN_PIECES,
    ),
    Argument(
        "public",
        r"_train_step:\d+ branch: .* -> False",
        "no step is taken in pieces",
        tuple(name for name in SPECS if name not in _IN_PIECES),
    ),
    Argument(
        "optimiser",
        r"_update:\d+ constant: \d+ -> ",
        "a rule runs over the parameters of its part; what else it is given may be longer",
        ("controlled", "in_pieces", "pooled", "in_sections"),
    ),
    Argument("declarations", r"TRAINED:\d+ constant: ", "a slice ends where its vector ends"),
    Argument(
        "files",
        r"Trained:\d+ (constant: 1 -> 2|.*(TASK|SCORED|names|numbers|found))",
        "the network predicts numbers, whose labels are refused before",
        tuple(name for name, spec in SPECS.items() if "mse" in str(spec["loss"])),
    ),
    Argument(
        "functions",
        r"\w+:\d+ (comparison|branch): type\(x\) is not REAL",
        "NumPy's function of a number keeps the bound too, and only numbers of the module's type come",
    ),
    Argument(
        "checks",
        r"_setting:\d+ (constant: (1 -> 2|2 -> 3)|operator: -1 -> 1|arguments exchanged: _whole\(.epochs)",
        "no schedule asks how many epochs there are",
        tuple(name for name in SPECS if name != "pieces"),
    ),
    Argument(
        "epoch",
        r"_train_epoch:\d+ another function: min -> max",
        "without pieces both sides are one number",
        tuple(name for name in SPECS if name not in _IN_PIECES),
    ),
    Argument("public", r"flatten:\d+ .*np\.empty\(0, DTYPE\)", "there are parameters"),
    Argument("public", r"flatten:\d+ constant: 0 -> 1", "parameters in one vector have one owner"),
    Argument(
        "checks",
        r"_fitting:\d+ another function: ValueError -> TypeError",
        "numbers without axes have neither a size nor an empty axis",
        ("scalars",),
    ),
    Argument(
        "epoch",
        r"_train_epoch:\d+ another function: ValueError -> TypeError",
        "no step needs all rows, so that this refusal never comes",
    ),
    Argument("functions", r"LOG:\d+ constant: 2\.2250738585072014e-308", "what is scaled is scaled back"),
    Argument(
        "checks", r"_checked:\d+ comparison: fitting\.min\(\) >= 0", "the way round a short cut leads there"
    ),
    Argument(
        "epoch",
        r"_gradient_in_pieces:\d+ operator: value \+= _gather",
        "what is gathered gives 0, or NaN of either sign",
    ),
    Argument(
        "computation",
        r"_dloss_3_dL_Z1_dZ1:\d+ operator: -100 -> ",
        "the label of none is no class: the factor beside the guard is 0 there",
        ("ignoring",),
    ),
    Argument(
        "checks",
        r"_checked:\d+ comparison: fitting == array",
        "the label that stands for none is compared, and there is none",
        tuple(name for name, spec in SPECS.items() if "ignore" not in str(spec.get("targets"))),
    ),
    Argument(
        "public",
        r"_batches:\d+ branch: not BATCH_AXIS -> False",
        "there are rows to be taken in batches",
        tuple(name for name in SPECS if name != "scalars"),
    ),
    Argument("functions", r"tanh:\d+ constant: 0\.625", "both ways keep the bound at this limit and near it"),
    Argument(
        "checks",
        r"_hyper_number:\d+ dropped check: .* cannot hold",
        "float64 holds every number; what is infinite or NaN lies in no interval, and is refused as that",
        tuple(name for name, spec in SPECS.items() if spec["dtype"] == "float64" and name != "own_optimizer"),
    ),
    Argument(
        "files",
        r"(_restored|_fill|read_archive|load):\d+ another function: (Type|Value)Error",
        "load tells of either as a ValueError",
    ),
    Argument("files", r"write_archive:\d+ index: ", "the types of a dict's items are for readers"),
    Argument("files", r"(save|Trained):\d+ constant: True -> False", "what is zipped is of equal lengths"),
    Argument(
        "files",
        r"Trained:\d+ (comparison: TASK != |branch: TASK != .* -> False)",
        "there is one class for each row: a vector of labels has no axis to lose",
        ("classifier", "ignoring", "embedding", "pooled", "in_pieces"),
    ),
    Argument(
        "files",
        r"Trained:\d+ index: numbers\[",
        "only a network that decides between two has an axis to lose: this one names classes",
        ("classifier", "ignoring", "embedding", "pooled", "in_pieces", "next_words", "next_letters"),
    ),
    Argument(
        "files",
        r"_prepared:\d+ branch: .* -> False",
        "numbers become float64 and what they were again",
        tuple(name for name in SPECS if name != "embedding"),
    ),
    Argument(
        "rows",
        r"_inputs_of_rows:\d+ constant: 0 -> 1",
        "only keys of this dict are looked at; and all rows are dicts, or none is",
    ),
    Argument(
        "rows",
        r"_inputs_of_rows:\d+ constant: True -> False|_encoded:\d+ constant: True -> False",
        "what is zipped is of equal lengths",
    ),
    Argument("rows", r"_encoded:\d+ dtype: np\.float64 -> ", "codes are small whole numbers"),
    Argument("rows", r"_encoded:\d+ constant: 1 -> 2", "any negative size is the one that is to be found"),
    Argument(
        "rows",
        r"_from_table:\d+ .*(record\.get\(|name in table|in columns|in table|len\(columns\))",
        "there is one column, called as its input",
        ("embedding",),
    ),
    Argument(
        "rows",
        r"_encoded:.*(classes|labels|False|reshape|len\(cells\) == 1|len\(words\) == 2"
        r"|size in|2 -> 3$|-1 -> 1$)",
        "no input holds classes, and none is of one or two entries",
        tuple(name for name in SPECS if name not in ("embedding", "scalars")),
    ),
    Argument(
        "computation",
        r"\w+:\d+ missing sum: ",
        "the sum has one term",
        ("binary",),
    ),
    Argument("intrinsics", r"_typed_difference:.*unify_types", "the type of both, in whatever order"),
    Argument(
        "public",
        r"_fitted_epoch:\d+ branch: last - first < steps -> True",
        "a whole epoch is one piece, in the order that it has anyway",
    ),
    Argument(
        "own verify",
        r"_told:\d+ (comparison: share <= 1 -> \(share < 1\)|constant: 1 -> 2)",
        "errors at exactly what is allowed, or up to twice that; planted wrong gradients are far beyond",
    ),
    Argument(
        "rows",
        r"_word:",
        "words are of labels, and there are none",
        WITHOUT_LABELS,
    ),
    Argument(
        "functions",
        r"_reduced:\d+ .*more",
        "what is to be added is 0: no function of this module gives more",
        tuple(name for name in SPECS if name not in ("averages", "own_optimizer")),
    ),
    Argument(
        "files",
        r"Trained:\d+ (constant: [01] -> |operator: (2 \* numbers|\(found)|index: numbers)",
        "classes have no axis to lose and no signs, and labels of numbers are refused before",
        tuple(name for name in SPECS if name != "binary"),
    ),
    Argument(
        "public",
        r"_in_memory:",
        "data lie by rows",
        (
            "attention",
            "convolution",
            "heads",
            "in_sections",
            "next_letters",
            "next_words",
            "pooled",
            "recurrent",
            "scalars",
        ),
    ),
    Argument(
        "rows",
        r"_from_table:\d+ comparison: np\.ndim\(found\)",
        "no input is a column of its own axis",
        tuple(name for name, spec in SPECS.items() if ", 1]" not in str(spec["inputs"])),
    ),
    Argument(
        "rows", r"_encoded:\d+ index: np\.arange\(len\(words\)", "no column of words is told by a number"
    ),
    Argument(
        "public",
        r"_loss_and_gradient:\d+ constant: 1 -> 2",
        "what is there once is added to 0, and its share is 1",
    ),
    Argument(
        "intrinsics",
        r"_typed_gemm:\d+ comparison: k == 4",
        "what a product is written to lies by rows, whether that is asked for or not",
    ),
    Argument("rows", r"(_numbers|_encoded):", "numbers alone are no columns", ("scalars",)),
    Argument(
        "rows",
        r"_from_table:\d+ (arguments exchanged: np\.reshape|operator: -1 -> 1)",
        "no input has one column alone",
        ("in_pieces", "recurrent", "ahead", "pieces", "classifier"),
    ),
    Argument("checks", r"_own_numbers:", "it copies labels, and there are none", WITHOUT_LABELS),
    Argument(
        "epoch",
        r"_train_epoch:\d+ branch: AXES\[name\]\[:1\] == \(BATCH_AXIS,\) -> True",
        "all tensors have rows",
        ("single", "classifier", "binary", "ignoring", "in_pieces"),
    ),
    Argument(
        "rows",
        r"_from_table:\d+ constant: 1 -> 2",
        "an input of several columns is none of one",
        (*(name for name in WITHOUT_LABELS if name not in ("scalars", "unrolled")), "in_pieces"),
    ),
    Argument(
        "rows",
        r"_inputs_of_rows:\d+ .*INPUTS",
        "predict asks for all inputs: both names are those of the same",
    ),
    Argument(
        "files",
        r'Trained:\d+ (constant: 0\.5|.*TASK == "(binary|sign)")',
        "this network does not decide between two",
        tuple(name for name in SPECS if name != BINARY),
    ),
    Argument(
        "checks",
        r"_lies_in:\d+ comparison: (number <= most|allowed\[0\] == )",
        "no number of this spec lies in an interval with such an end",
        ("own_optimizer", "ahead"),
    ),
    Argument(
        "checks",
        r"_lies_in:\d+ (comparison: allowed\[-1\] == |operator: -1 -> 1)",
        "the interval of every number of this spec ends with infinity, which no number is",
        ("attention", "convolution", "further"),
    ),
    Argument("files", r"_fill:\d+ dropped check: ", "there are no parameters", WITHOUT_PARAMETERS),
    Argument(
        "files",
        r"replace_file:\d+ (dropped statement: file\.flush|constant: True -> False)",
        "a machine that fails in between tells them apart, or another program that takes the file away",
    ),
    Argument(
        "checks",
        r"_fitting:\d+ (.*LEAST_SIZES|another function)",
        "no axis needs more than one entry",
        tuple(name for name in SPECS if name not in ("next_words",)),
    ),
    Argument(
        "checks",
        r"_hyper_number:\d+ another function: ValueError -> TypeError",
        "no number here must not become 0",
        ("convolution", "own_optimizer", "pieces", "ahead"),
    ),
    Argument("public", r"_Alone:", "there are no parameters", WITHOUT_PARAMETERS),
    Argument(
        "public",
        r"_train_step:\d+ branch: MICRO_BATCH_SIZE -> True",
        "an epoch of one batch, of all rows in their order, is a step",
    ),
    Argument(
        "public",
        r"flatten:\d+ branch: owner\.shape == .* -> False",
        "strides over the same memory are the vector itself",
    ),
    Argument(
        "epoch",
        r"_train_epoch:\d+ constant: False -> True",
        "there are as many sizes as free axes: no others are derived of them",
    ),
    Argument(
        "epoch",
        r"_train_epoch:\d+ branch: not math\.isfinite\(value\) -> False",
        "all data are labels, of which no entry is not finite",
        ("embedding", "next_words", "next_letters"),
    ),
    Argument(
        "checks",
        r"_fitting:\d+ .*(size|extents)",
        "every input is one number, without an axis to ask of",
        ("scalars",),
    ),
    Argument(
        "public",
        r"_in_memory:\d+ branch: BY_COLUMNS and FREE_AXES\[0\] in AXES\[name\] -> True",
        "data lie by columns, and all have rows",
        ("single", "classifier", "binary", "ahead", "averages", "own_optimizer", "pieces"),
    ),
    Argument(
        "functions",
        r"(exp|expm1|log):\d+ branch: type\(x\) is not REAL -> True",
        "NumPy's function, which keeps the bound that the module's own promises",
        tuple(name for name, spec in SPECS.items() if spec["dtype"] == "float64"),
        rounds=True,
    ),
    Argument(
        "rows",
        r"_encoded:.*unseen",
        "inputs are labels, and no column is one of words",
        ("embedding", "next_words", "next_letters"),
    ),
    Argument(
        "files",
        r'Trained:\d+ .*(TASK [!=]= "classes" -> |numbers\.)',
        "labels are refused before, or classes are told by their scores alone",
        tuple(name for name in SPECS if name != BINARY),
    ),
    Argument(
        "files",
        r"Trained:\d+ branch: TASK not in .* -> False",
        "the task is one of these",
        (*(name for name in SPECS if name not in WITHOUT_LABELS), BINARY),
    ),
)


def argument(outcome: Outcome) -> str:
    """Why a survivor is the same module to every caller; empty where it is not, or was seen not to be."""
    for argued in ARGUED:
        if outcome.differs and not argued.rounds:
            continue
        is_there = outcome.region == argued.region and outcome.spec in (argued.specs or (outcome.spec,))
        if is_there and re.match(argued.pattern, outcome.title):
            return argued.reason
    return ""
