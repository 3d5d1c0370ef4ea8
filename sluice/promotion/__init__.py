"""Promotion: the ledger, the push, the rollback."""
