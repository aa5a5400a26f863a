"""The 23 demands of the lectures, each checked against what symgrad derives."""
