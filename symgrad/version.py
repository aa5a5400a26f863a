"""The version of symgrad, as written into every emitted module."""

from importlib.metadata import version

VERSION = version("symgrad")
