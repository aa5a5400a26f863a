"""What other libraries call a spec's keys and the library's entries, and what stands for what is not here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from symgrad.errors import did_you_mean
from symgrad.spec.reductions import REDUCTIONS
from symgrad.spec.scalars import SCALARS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_ALSO_CALLED = {
    # keys of a spec
    "axes": "shape size dims dimensions",
    "classes": "num_classes n_classes labels categories",
    "init": "initializer initial initial_value value kernel_initializer weight_init",
    "parameters": "params weights variables",
    "units": "out_features neurons output_dim hidden width",
    "bias": "use_bias fit_intercept",
    "bias_init": "bias_initializer",
    "activation": "act nonlinearity",
    "negative_slope": "alpha slope",
    "class_weights": "class_weight weight",
    "weights": "sample_weight sample_weights",
    "label_smoothing": "smoothing",
    "pos_weight": "positive_weight",
    "step_size": "period every",
    "gamma": "factor",
    "total": "t_max total_steps warmup_steps",
    "value": "fill",
    "inputs": "input features x",
    "targets": "target label outputs_wanted y",
    "layers": "model network architecture",
    "loss": "objective cost criterion",
    "dtype": "precision type",
    "data": "dataset file csv path train_data",
    "path": "file filename csv",
    "columns": "cols usecols",
    "validation": "val valid validation_split validation_data test test_size holdout",
    "missing": "na nan impute imputer fillna dropna missing_values",
    "unseen": "handle_unknown unknown unknown_categories unseen_categories",
    "categorical": "categories categorical_columns one_hot onehot",
    "delimiter": "sep separator",
    "standardize": "standardise normalize normalise scale scaler",
    "schedule": "scheduler lr_schedule lr_scheduler learning_rate_schedule",
    "batch_size": "batch minibatch mini_batch_size",
    "micro_batch_size": "microbatch accumulate gradient_accumulation",
    "steps_at_once": "gradient_checkpointing recompute remat rematerialize checkpoint_every",
    "epochs": "num_epochs n_epochs max_epochs max_iter iterations",
    "shard": "sharding zero zero_redundancy shard_optimizer fsdp",
    "clip_norm": "max_norm max_grad_norm gradient_clip clip_grad_norm grad_clip clip",
    "seed": "random_state random_seed",
    "hyper": "hyperparameters hyper_parameters hyperparams params",
    "update": "step updates",
    "state": "states slots",
    # functions of the language; the names of scalar functions and reductions stand in their rows
    "d": "grad diff derivative gradient partial jacobian hessian laplacian laplace divergence nabla dx D",
    "bernoulli": "random_bernoulli bernoulli_sample coin",
    "dropout": "drop_out feature_dropout",
    "dropout1d": "spatial_dropout1d",
    "dropout2d": "spatial_dropout spatial_dropout2d",
    "stochastic_depth": "drop_path droppath drop_connect",
    "training": "train_only in_train_phase is_training",
    "stop_gradient": "detach stop_grad sg no_grad",
    "where": "ifelse if_else piecewise select",
    "onehot": "to_categorical",
    "transpose": "permute swapaxes",
    "reshape": "view unflatten",
    "split": "chunk",
    "gather": "take take_along_axis index_select",
    "concat": "concatenate cat vstack",
    "column_stack": "hstack columns",
    "pad": "zero_pad zeropad zero_padding",
    "flatten": "ravel",
    # mathematics
    "ln": "log_e loge natural_log",
    "pow": "power float_power",
    "clip": "clamp clip_by_value hard_clip",
    "atan2": "arctan2",
    "std": "stddev standard_deviation reduce_std sigma",
    "var": "variance reduce_variance",
    "norm": "l2_norm vector_norm euclidean_norm frobenius_norm",
    # layers and activations
    "dense": "linear fully_connected fc affine lazy_linear inner_product perceptron",
    "layer_norm": "layernorm layer_normalization",
    "rms_norm": "rmsnorm rms_normalization",
    "batch_norm": "batchnorm batch_normalization",
    "group_norm": "groupnorm group_normalization",
    "embedding": "embed embeddings lookup_table",
    "positional": "positional_encoding positional_embedding position_embedding learned_positions",
    "rotary": "rope rotary_embedding",
    "attention": "self_attention multihead_attention multi_head_attention scaled_dot_product_attention mha",
    "feed_forward": "feedforward ffn position_wise_feed_forward",
    "transformer_block": "transformer transformer_encoder_layer transformer_layer encoder_layer",
    "identity": "linear none eye",
    "sigmoid": "logistic expit sigm",
    "relu": "rectifier rectified_linear",
    "leaky_relu": "lrelu",
    "gelu_tanh": "gelu_approximate gelu_new quick_gelu",
    "silu": "swish",
    "logsigmoid": "log_sigmoid",
    "hardtanh": "relu1",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_silu",
    "softplus": "smooth_relu",
    # losses
    "mse": "mean_squared_error mean_square_error mean_squared l2_loss quadratic",
    "squared_error": "least_squares sse sum_squared_error residual_sum_of_squares rss",
    "mae": "mean_absolute_error l1_loss absolute_error mean_abs",
    "smooth_l1": "smooth_l1_loss",
    "quantile": "pinball pinball_loss quantile_loss",
    "cosine": "cosine_similarity cosine_distance cosine_embedding "
    "cosine_annealing cosine_annealing_lr cosine_decay cosine_schedule",
    "poisson_nll": "poisson poisson_loss poisson_deviance",
    "gaussian_nll": "gaussian_log_likelihood",
    "binary_cross_entropy": "bce binary_crossentropy log_loss logloss",
    "binary_cross_entropy_with_logits": "bce_with_logits sigmoid_cross_entropy sigmoid_binary_cross_entropy "
    "sigmoid_cross_entropy_with_logits bce_logits",
    "binary_focal": "sigmoid_focal binary_focal_crossentropy",
    "softmax_cross_entropy": "cross_entropy crossentropy categorical_crossentropy categorical_cross_entropy "
    "sparse_categorical_crossentropy sparse_categorical_cross_entropy softmax_cross_entropy_with_logits "
    "softmax_cross_entropy_with_integer_labels cross_entropy_with_logits ce xent multinomial_cross_entropy",
    "nll": "negative_log_likelihood",
    "focal": "categorical_focal_crossentropy",
    "kl_div": "kl_divergence kullback_leibler kld relative_entropy",
    "hinge": "svm svm_loss max_margin",
    "soft_margin": "logistic_loss",
    "multi_margin": "categorical_hinge multiclass_hinge",
    "l1": "lasso l1_regularizer l1_penalty",
    "l2": "ridge l2_regularizer l2_penalty",
    # optimizers
    "sgd": "gd gradient_descent stochastic_gradient_descent vanilla steepest_descent",
    "momentum": "sgd_momentum heavy_ball polyak",
    "nesterov": "nag nesterov_momentum accelerated_gradient",
    "rmsprop": "rms_prop",
    "adamw": "adam_w adam_weight_decay",
    "amsgrad": "adam_amsgrad",
    # finishes
    "lbfgs": "bfgs l_bfgs l_bfgs_b",
    "newton_cg": "newton truncated_newton hessian_free",
    "trust_ncg": "trust_region trust_region_newton steihaug",
    "levenberg_marquardt": "lm marquardt gauss_newton least_squares",
    "finish": "then second_optimizer finisher",
    "max_iterations": "max_iter maxiter iterations maxfun",
    "memory": "history_size maxcor",
    "gradient_tolerance": "gtol tolerance_grad",
    "loss_tolerance": "ftol tolerance_change factr",
    # schedules
    "constant": "constant_lr fixed constant_schedule",
    "inverse": "inverse_time inverse_time_decay inv_scaling invscaling",
    "exponential": "exponential_lr exponential_decay exp_decay",
    "step_decay": "step_lr step multi_step_lr staircase piecewise_constant",
    "polynomial": "polynomial_lr polynomial_decay poly linear_decay",
    "linear_warmup": "linear linear_lr warmup warm_up linear_schedule",
    "one_cycle": "one_cycle_lr cosine_onecycle cosine_onecycle_schedule",
    "one_cycle_linear": "linear_onecycle linear_onecycle_schedule",
    # initializers
    "zeros": "zero zeros_init",
    "normal": "gaussian randn random_normal randn_like",
    "truncated_normal": "trunc_normal",
    "ones": "one ones_init",
    "uniform": "rand random_uniform rand_like",
    "glorot_uniform": "glorot xavier xavier_uniform",
    "glorot_normal": "xavier_normal",
    "he_uniform": "kaiming_uniform",
    "he_normal": "he kaiming kaiming_normal",
    "lecun_normal": "lecun",
    **{row.name: row.also for row in SCALARS.values() if row.also},
    **{row.name: row.also for row in REDUCTIONS.values()},
}

HYPER_PARAMETERS = {
    "lr": "learning_rate",
    "beta1": "b1",
    "beta2": "b2",
    "beta_1": "b1",
    "beta_2": "b2",
    "epsilon": "eps",
    "rho": "alpha",
    "decay": "alpha",
    "l2": "weight_decay",
    "etaminus": "eta_minus",
    "etaplus": "eta_plus",
}
"""Other libraries' words, for what an optimiser itself does not call so."""

_INSTEAD = {
    "rmse root_mean_squared_error": "write sqrt(mse(y, t))",
    "elastic_net": "write 1e-4 * l1(W) + 1e-4 * l2(W)",
    "dot inner vdot matmul mm bmm mv": "write x @ y, or in index notation sum(x[n,k] * y[k], k)",
    "tensordot kron": 'write einsum("nd,dk->nk", x, W), or "Z[n,k]": "sum(x[n,d] * W[d,k], d)"',
    "squeeze unsqueeze expand_dims": "write reshape(x, [batch, 8, 1]), with the axes there shall be",
    "narrow slice": "write x[:, 2:6]",
    "flip reverse": "write x[:, ::-1]",
    "repeat tile repeat_interleave": (
        'repeat by an index, then flatten: "r[n, i, s:2]": "x[n, i]" and y: flatten(r)'
    ),
    "simple_rnn recurrent": "write rnn(x, 16), or a loop of your own: h[n,t,i] may read h[n,t-1,j]",
    "conv convolution": "write conv1d, conv2d or conv3d, by the number of axes that windows slide along",
    "upsample": "write upsample2d(x, factor=2), or upsample1d for one axis",
    "maxpool max_pool": "write max_pool1d, max_pool2d or max_pool3d, by the axes windows slide along",
    "avgpool avg_pool": "write avg_pool1d, avg_pool2d or avg_pool3d, by the axes windows slide along",
    "deconv conv_transpose conv2dtranspose": "write conv_transpose2d(x, units, kernel), or conv_transpose1d",
    "depthwise_conv2d depthwiseconv2d separable_conv2d": "write conv2d(x, units, kernel, groups=channels)",
    "exp2": "write 2**x",
    "rsqrt": "write 1 / sqrt(x)",
    "cbrt": "write sign(x) * abs(x)**(1/3)",
    "reciprocal": "write 1 / x",
    "hypot": "write sqrt(x**2 + y**2)",
    "asinh arcsinh": "write log(x + sqrt(x**2 + 1))",
    "acosh arccosh": "write log(x + sqrt(x**2 - 1))",
    "atanh arctanh": "write (log1p(x) - log1p(-x)) / 2",
    "erfc": "write 1 - erf(x)",
    "sec": "write 1 / cos(x)",
    "csc": "write 1 / sin(x)",
    "cot": "write 1 / tan(x)",
    "prod product": "write exp(sum(log(x))), where x is positive",
    "argmax argmin": "it has no slope to learn by; max(x, axis=-1) is the largest value",
    "round ceil trunc mod fmod": "it has no slope to learn by",
    "tanhshrink": "write x - tanh(x)",
    "bfgs l_bfgs l_bfgs_b newton lm least_squares": (
        "write finish: lbfgs(), newton_cg(), trust_ncg() or levenberg_marquardt()"
    ),
    "early_stopping early_stop": "write stop: {patience: 5}",
    "reduce_lr_on_plateau": "stop: {patience: 5} ends training on a plateau",
    "len shape size ndim numel": "the name of an axis is its size, as in sum(x) / N",
    "random rand noise": "formulas draw no random numbers; an initializer does",
    "metric score scores scoring": (
        "write metrics: [f1_macro]; accuracy, or R² and RMSE, are measured without being asked for"
    ),
    "device gpu cuda": "leave it out: it runs on the CPU",
    "sparse": "leave it out: sgd and adagrad leave rows that were not looked up as they are by themselves",
    "sparse_adam lazy_adam": (
        "sgd and adagrad leave rows that were not looked up as they are; adam moves them with its means"
    ),
}


def known_as(word: str, known: Collection[str]) -> str:
    """The word of `known` that another library calls `word`; empty where there is none."""
    for key in _keys(word):
        same = [name for name in known if _key(name) == key]
        found = [*same, *(name for name in _OTHER.get(key, ()) if name in known)]
        if found:
            return found[0]
    return ""


def meant(word: str, known: Collection[str], otherwise: str) -> str:
    """A remedy for a word that is not among the `known`: what it is called here, or what to write instead.

    Capitals and underscores do not count, nor does `Loss` at the end. Failing that, the nearest known word.
    """
    if ours := known_as(word, known):
        return f"did you mean '{ours}'?"
    remedy = next((_REMEDIES[key] for key in _keys(word) if key in _REMEDIES), "")
    return remedy or did_you_mean(word, known) or otherwise


def _keys(word: str) -> Iterator[str]:
    yield (key := _key(word))
    for ending in ("loss", "layer", "lr", "optimizer", "scheduler"):
        if key.endswith(ending) and key != ending:
            yield key.removesuffix(ending)


def _key(word: str) -> str:
    return re.sub("[^a-z0-9]", "", word.lower())


def _inverted() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for ours, others in _ALSO_CALLED.items():
        for other in others.split():
            found.setdefault(_key(other), []).append(ours)
    return found


_OTHER = _inverted()
_REMEDIES = {_key(word): remedy for words, remedy in _INSTEAD.items() for word in words.split()}
