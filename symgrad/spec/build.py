"""From the schema to a `Spec`: formulas are parsed, names checked, sizes bounded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.build_train import build_train
from symgrad.spec.document import Document
from symgrad.spec.entries import as_call, as_number, formula_at, formulas
from symgrad.spec.model import EquationSpec, FunctionSpec, ParameterSpec, Spec, TensorSpec
from symgrad.spec.names import check_name, is_name
from symgrad.spec.schema import MAX_SIZE
from symgrad.spec.syntax import Call, Index, Name, Node, Number
