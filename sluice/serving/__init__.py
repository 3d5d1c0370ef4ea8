"""Serving: probing an export as a client would."""
