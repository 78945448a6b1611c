"""Multiply-adds in three conventions: as published, every matrix product, executed."""
