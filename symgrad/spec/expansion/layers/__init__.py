"""Layers, chains of them and networks as equations with parameters of their own."""
