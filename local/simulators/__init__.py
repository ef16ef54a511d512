"""Strict stand-ins for the vendors' HTTP APIs, written from the vendors' documents.

They share no code with the product: two independent readings of one document catch what one reading gets wrong.
Statements marked "guess" are not in any vendor's document.
"""
