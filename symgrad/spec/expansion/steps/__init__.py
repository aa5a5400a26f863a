"""What a step of training has and inference has not: next values of states, choices, numbers drawn."""
