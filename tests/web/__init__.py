"""Tests of the web process: its parts, its doors, and its pages in a real browser."""
