"""Strict local stand-ins for services that no package brings."""
