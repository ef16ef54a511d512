"""Least privilege: the local stack with IAM enforced, and the proof that no role lacks a right or has an idle one.

First everything that the demo sends must end as it should, without one refusal. Then each right of each role is taken
away by itself, the function that has it is given work that needs it, and a refusal of exactly that right must come.
"""
