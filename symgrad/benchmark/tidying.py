"""PyTorch's record of a function's operations, without those that only the recording brought in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def recorded(torch: Any, function: Callable[..., Any], example: tuple[Any, ...]) -> Any:
    """The function as a plain sequence of PyTorch's operations, for arguments shaped like the example.

    Walking a formula in Python costs more than small operations do. What depends on constants alone is
    computed once, and a view of an array in its own shape is the array.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    with torch.no_grad():
        module = make_fx(lambda *given: function(*given))(*example)
        values = _values(torch, module, example)
    graph = module.graph
    known = {node for node in graph.nodes if node.op == "get_attr"}
    shapers = (torch.ops.aten.view.default, torch.ops.aten.expand.default)
    for number, node in enumerate(list(graph.nodes)):
        if node.op != "call_function":
            continue
        inputs = node.all_input_nodes
        if inputs and known.issuperset(inputs) and isinstance(values[node], torch.Tensor):
            name = f"_known_{number}"
            module.register_buffer(name, values[node].clone())
            with graph.inserting_before(node):
                constant = graph.get_attr(name)
            known.add(constant)
            values[constant] = values[node]
            node.replace_all_uses_with(constant)
        elif node.target in shapers and values[node].shape == values.get(node.args[0], values[node]).shape:
            node.replace_all_uses_with(node.args[0])
    _write_numbers(torch, graph, known, values)
    graph.eliminate_dead_code()
    module.recompile()
    return module


def _write_numbers(torch: Any, graph: Any, known: set[Any], values: dict[Any, Any]) -> None:
    """Numbers as numbers where an operation takes them: arrays of one entry take it longer."""
    aten = torch.ops.aten
    for node in graph.nodes:
        if node.target not in (aten.mul.Tensor, aten.add.Tensor, aten.sub.Tensor, aten.div.Tensor):
            continue
        left, right, *_ = node.args
        if left in known and node.target is aten.mul.Tensor:
            left, right = right, left
        if right in known and left not in known and values[right].ndim == 0 < values[left].ndim:
            node.args = (left, values[right].item())


def operations(module: Any) -> int:
    """How many operations a recorded function makes."""
    return sum(node.op == "call_function" for node in module.graph.nodes)


def _values(torch: Any, module: Any, example: tuple[Any, ...]) -> dict[Any, Any]:
    """What every node of a record comes to."""
    interpreter = torch.fx.Interpreter(module, garbage_collect_values=False)
    interpreter.run(*torch.utils._pytree.tree_leaves(example))
    return dict(interpreter.env)
