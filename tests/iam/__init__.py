"""Least privilege: the local stack with IAM, and the proof that no role lacks a permission or has an unused one.

First every message of the demo must have its expected end without a refusal. Then each permission of each role is
removed in turn, its function gets work that needs it, and exactly that permission must be refused.
"""
