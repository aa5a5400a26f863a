"""The sections of a report: the rules of single weights, local Jacobians, memory."""
