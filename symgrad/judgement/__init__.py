"""Who judges a module, and when: the gate before all that leaves symgrad, and the verdicts that are kept."""
