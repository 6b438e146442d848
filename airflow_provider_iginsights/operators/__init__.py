"""Operators that read Instagram without loading anything."""
