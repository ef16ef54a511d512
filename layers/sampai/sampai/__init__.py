"""Sampai: send messages through the vendors of South-East and South Asia, and know whether each arrived."""
