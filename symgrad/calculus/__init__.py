"""The core: tensor equations, their derivatives and their simplification."""
