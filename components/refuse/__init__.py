"""Refuse: put on record that a gate stayed closed, and why."""
