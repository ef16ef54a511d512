"""Strict simulators of the vendors' HTTP APIs, written from the vendors' documents.

They share no code with the product: a second, independent reading of a document reveals the errors of the first.
Statements marked "guess" are not in any vendor's document.
"""
