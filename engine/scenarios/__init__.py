"""Scenarios: stories in YAML beside a definition, played by the real service."""
